//! Places in files, paths of fields, and problems that name both.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A line and a column, both counted from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct Place {
    pub line: u32,
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One step into an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A field of a mapping.
    Field(Arc<str>),
    /// An item of a sequence, counted from 0.
    Index(usize),
    /// A key of a map whose keys users choose, such as a label.
    Key(Arc<str>),
}

/// The path of a field, written as `spec.rules[0].matches[1].path.value`.
///
/// ```
/// use gatepost::problem::FieldPath;
/// let path = FieldPath::default().field("spec").field("rules").index(0);
/// assert_eq!(path.to_string(), "spec.rules[0]");
/// assert!(path.field("name").starts_with(&path));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<Segment>);

impl FieldPath {
    /// The path to a field of what this path names.
    #[must_use]
    pub fn field(&self, name: &str) -> FieldPath {
        self.child(Segment::Field(name.into()))
    }

    /// The path to an item of what this path names.
    #[must_use]
    pub fn index(&self, index: usize) -> FieldPath {
        self.child(Segment::Index(index))
    }

    /// The path to an entry of a map whose keys users choose.
    #[must_use]
    pub fn key(&self, key: &str) -> FieldPath {
        self.child(Segment::Key(key.into()))
    }

    fn child(&self, segment: Segment) -> FieldPath {
        let mut segments = Vec::with_capacity(self.0.len() + 1);
        segments.extend_from_slice(&self.0);
        segments.push(segment);
        FieldPath(segments)
    }

    /// The steps from the object's root.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether this path is `other` or lies below it.
    pub fn starts_with(&self, other: &FieldPath) -> bool {
        self.0.starts_with(&other.0)
    }

    /// What is left of this path below `other`; `None` if it does not lie there.
    pub fn below(&self, other: &FieldPath) -> Option<FieldPath> {
        let rest = self.0.strip_prefix(other.0.as_slice())?;
        Some(FieldPath(rest.to_vec()))
    }

    /// Goes one step down in place; [`FieldPath::pop`] goes back.
    pub fn push(&mut self, segment: Segment) {
        self.0.push(segment);
    }

    /// Goes one step up in place.
    pub fn pop(&mut self) {
        self.0.pop();
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Field(name) if position == 0 => plain(name, f)?,
                Segment::Field(name) => {
                    f.write_str(".")?;
                    plain(name, f)?;
                }
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    f.write_str("[")?;
                    plain(key, f)?;
                    f.write_str("]")?;
                }
            }
        }
        Ok(())
    }
}

/// A name that a user may have chosen, on one line.
fn plain(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&one_line(name))
}

/// A text on one line: control characters are escaped, so that it can neither break lines nor speak to a terminal. Copied only
/// if there are any.
///
/// ```
/// assert_eq!(gatepost::problem::one_line("a\nb"), r"a\nb");
/// ```
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().flat_map(|character| {
        let control = character.is_control();
        let escape = control.then(|| character.escape_debug());
        escape
            .into_iter()
            .flatten()
            .chain((!control).then_some(character))
    });
    Cow::Owned(escaped.collect())
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Something was passed over on purpose.
    Note,
    /// It works, though hardly as meant.
    Warning,
    /// The object or the file is refused, or does not do what it says.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        })
    }
}

/// Something that is wrong with what a user wrote.
///
/// It is displayed as `source:line:column: level: Kind/namespace/name: field: message`, parts that are not known left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub level: Level,
    /// The file, or what the caller calls the text.
    pub source: Arc<str>,
    /// Where it stands.
    pub place: Option<Place>,
    /// The object, as `Kind/namespace/name` as far as it is known.
    pub object: Option<String>,
    /// The field.
    pub field: Option<FieldPath>,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl Problem {
    /// An error at a place.
    pub fn error(source: &Arc<str>, place: Option<Place>, message: impl Into<String>) -> Problem {
        Problem {
            level: Level::Error,
            source: source.clone(),
            place,
            object: None,
            field: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", one_line(&self.source))?;
        if let Some(place) = self.place {
            write!(f, "{place}:")?;
        }
        write!(f, " {}:", self.level)?;
        if let Some(object) = &self.object {
            write!(f, " {}:", one_line(object))?;
        }
        if let Some(field) = self.field.as_ref().filter(|field| !field.0.is_empty()) {
            write!(f, " {field}:")?;
        }
        write!(f, " {}", one_line(&self.message))
    }
}

impl std::error::Error for Problem {}

/// A user's own value for a message: on one line, cut when it is long.
pub fn excerpt(value: &str) -> String {
    const LONGEST: usize = 80;
    let mut text: String = value
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if value.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_line_whatever_the_names_are() {
        let path = FieldPath::default()
            .field("me\u{1b}[2Jta")
            .field("a\nb")
            .key("k/ü\r");
        assert_eq!(path.to_string(), "me\\u{1b}[2Jta.a\\nb[k/ü\\r]");
    }

    #[test]
    fn a_problem_is_one_line_whatever_the_file_is_called() {
        let problem = Problem {
            object: Some("Service/a\u{7f}".to_owned()),
            ..Problem::error(&"a\n.yaml".into(), None, "not \u{1b}[2J")
        };
        assert_eq!(
            problem.to_string(),
            r"a\n.yaml: error: Service/a\u{7f}: not \u{1b}[2J"
        );
    }
}
