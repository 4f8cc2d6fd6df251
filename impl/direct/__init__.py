"""The message queue's direct channel over gRPC, with Alcor's services and messages, in place of the hosts' inboxes."""
