//! The commands.

pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod routes;
pub(crate) mod serve;
pub(crate) mod status;
