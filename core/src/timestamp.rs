//! RFC 3339 instants as Kubernetes writes them; ordering only.
