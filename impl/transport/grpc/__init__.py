"""Alcor's own services over gRPC: our NCM serves Alcor's agents, and our agent talks to Alcor's NCM.

The cores decide, as over the broker; what is here only translates: a VNI and an IP are a pod, a revision is a version, an address
is a host, and a request's id is a request. `ncm` and `aca` each begin with a table of what is made of what is left unset.
"""
