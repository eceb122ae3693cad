//! ListenerSet.

use super::gateway::{Listener, ListenerStatus};
use super::meta::Condition;
use super::reference::ParentReference;

kind! {
    /// More listeners for a Gateway, owned by somebody else.
    ListenerSet { ListenerSetSpec, ListenerSetStatus }
}

wire! {
    /// `ListenerSetSpec`.
    ListenerSetSpec { parent_ref: ParentReference, listeners: Vec<Listener>; }
}

wire! {
    /// `ListenerSetStatus`.
    ListenerSetStatus {
        ;
        conditions: Vec<Condition>,
        listeners: Vec<ListenerStatus>,
    }
}
