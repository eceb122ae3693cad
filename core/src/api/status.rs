//! `.status` of routes and policies.

use super::meta::Condition;
use super::reference::ParentReference;

wire! {
    /// `RouteStatus`.
    RouteStatus { parents: Vec<RouteParentStatus>; }
}

wire! {
    /// `RouteParentStatus`.
    RouteParentStatus {
        parent_ref: ParentReference,
        controller_name: String;
        conditions: Vec<Condition>,
    }
}

wire! {
    /// `PolicyStatus`.
    PolicyStatus { ancestors: Vec<PolicyAncestorStatus>; }
}

wire! {
    /// `PolicyAncestorStatus`.
    PolicyAncestorStatus {
        ancestor_ref: ParentReference,
        controller_name: String;
        conditions: Vec<Condition>,
    }
}
