"""Alcor's own services over gRPC: our NCM serves Alcor's agents, and our agent talks to Alcor's NCM.

The cores decide, as over the broker; this package only translates: a VNI and an IP are a pod, a revision is a version, an address
is a host, and a request's id is a request. `ncm_gateway` and `agent_gateway` each begin with a table of how unset fields are
interpreted.
"""
