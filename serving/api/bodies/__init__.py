"""The bodies of the API: each described once, for its reader, its route and the OpenAPI document."""
