//! The matchers that are measured.

pub mod gatepost;
#[cfg(feature = "peers")]
pub mod host_map;
#[cfg(feature = "peers")]
pub mod list;
#[cfg(feature = "peers")]
pub mod new_many;
#[cfg(feature = "peers")]
pub mod paths;
#[cfg(feature = "peers")]
pub mod probe;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::shapes::{Request, Shape, Workload};

/// A matcher under measurement, prepared for a workload.
pub trait Subject {
    /// The position of the rule that serves the prepared request.
    fn find(&mut self, mode: Mode, number: usize) -> Option<u32>;
}

/// Which requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
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
#[serde(rename_all = "kebab-case")]
pub enum Name {
    /// `RouteTable::find` with full semantics, on a target that is given.
    Gatepost,
    /// A host map in front of one radix tree a host; paths only, three inserts a prefix.
    Matchit,
    /// As `matchit`, with another radix tree.
    Wayfind,
    /// As `matchit`, one insert a prefix.
    PathTree,
    /// A host map in front of one list a host, first match in the order of insertion; paths only.
    ActixRouter,
    /// A host map in front of all paths of a host as one expression; paths only.
    NewMany,
    /// A host map in front of one list a host, sorted by precedence.
    List,
    /// One list of all rules, sorted by precedence.
    Sorted,
    /// No matcher: one dependent load over as many bytes as the first matcher of the run has.
    Probe,
}

impl Name {
    /// Whether the subject can express the shape, with so many rules.
    pub fn can(self, shape: Shape, rules: usize) -> bool {
        use Shape::{A, B, D, Depths, E, Grpc, Hosts, Long, Mixed, Wildcards};
        match self {
            Name::Gatepost | Name::List | Name::Sorted | Name::Probe => true,
            // Numbers of rules are 16 bits wide there.
            Name::ActixRouter => matches!(shape, A | B | D) && (shape == A || rules <= 65_535),
            // Parameters stand for patterns where they lead to the right answer.
            Name::Matchit | Name::Wayfind | Name::PathTree => {
                matches!(shape, A | B | D | Depths | Grpc | Hosts | Long | Wildcards)
            }
            // Beyond, building takes minutes.
            Name::NewMany => matches!(shape, A | B | D | E | Mixed) && rules <= 10_000,
        }
    }
}
