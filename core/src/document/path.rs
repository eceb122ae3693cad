//! Where a walk stands.

use crate::problem::{FieldPath, Segment};

/// The way to the value that is looked at, on the stack: most values are sound, and then nobody asks for it.
#[derive(Debug)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'a> {
    Root,
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

impl Path<'_> {
    pub(crate) const ROOT: Path<'static> = Path {
        parent: None,
        step: Step::Root,
    };

    pub(crate) fn child<'a>(&'a self, step: Step<'a>) -> Path<'a> {
        Path {
            parent: Some(self),
            step,
        }
    }

    pub(crate) fn to_field_path(&self) -> FieldPath {
        let mut path = self
            .parent
            .map_or_else(FieldPath::default, Path::to_field_path);
        match self.step {
            Step::Root => {}
            Step::Field(name) => path.push(Segment::Field(name.into())),
            Step::Index(index) => path.push(Segment::Index(index)),
            Step::Key(key) => path.push(Segment::Key(key.into())),
        }
        path
    }

    /// Whether this is the object's status, which is not judged with the object.
    pub(crate) fn is_status(&self) -> bool {
        matches!(self.step, Step::Field("status"))
            && self
                .parent
                .is_some_and(|parent| matches!(parent.step, Step::Root))
    }
}
