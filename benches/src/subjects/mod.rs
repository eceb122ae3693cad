//! The matchers that are measured.

pub mod gatepost;
pub mod list;
pub mod matchit;
pub mod probe;

use clap::ValueEnum;
use serde::Serialize;

use crate::shapes::{Request, Shape, Workload};

/// A matcher under measurement, prepared for a workload.
pub trait Subject {
    /// The position of the rule that serves the prepared request.
    fn find(&mut self, mode: Mode, number: usize) -> Option<u32>;
}

/// Which requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The rule of lowest precedence, the same request again and again.
    Hot,
    /// 4,096 distinct requests, uniform over the rules.
    Random,
    /// 512 requests that nothing serves.
    Miss,
    /// Random requests, 96 MiB written before each.
    Cold,
}

impl Mode {
    /// The requests of this mode.
    pub fn requests(self, workload: &Workload) -> &[Request] {
        match self {
            Mode::Hot => &workload.hot,
            Mode::Random | Mode::Cold => &workload.random,
            Mode::Miss => &workload.miss,
        }
    }
}

/// The names of the subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Name {
    /// `RouteTable::find` with full semantics, on a target that is given.
    Gatepost,
    /// A host map in front of one radix tree a host; paths only, three inserts a prefix.
    Matchit,
    /// A host map in front of one list a host, sorted by precedence.
    List,
    /// No matcher: a chain of dependent loads over as many bytes as 80 bytes a rule make.
    Probe,
}

impl Name {
    /// Whether the subject can express the shape.
    pub fn can(self, shape: Shape) -> bool {
        match self {
            Name::Gatepost | Name::List | Name::Probe => true,
            Name::Matchit => matches!(shape, Shape::A | Shape::B),
        }
    }
}
