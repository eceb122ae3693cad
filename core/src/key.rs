//! Names of things: kinds, namespaced names and object keys.
