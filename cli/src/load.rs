//! Files and folders → texts → resources with their problems.

use std::path::Path;

use gatepost::document::Limits;
use gatepost::key::Channel;
use gatepost::manifest::{Collected, Loaded, collect, read};
use gatepost::problem::Problem;
use gatepost_proxy::source::files::manifests;

/// A text with manifests, or why it cannot be read.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "plain input")]
pub struct Text {
    /// What problems call it, such as the file's path.
    pub name: String,
    /// Its content.
    pub bytes: Result<Vec<u8>, String>,
}

/// Without the content: there may be Secrets in it.
impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Text")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The text of a file, or those of all manifests in a folder and below it, in the order of their names.
pub fn texts(path: &Path) -> Vec<Text> {
    let text = |path: &Path, bytes: std::io::Result<Vec<u8>>| Text {
        name: path.display().to_string(),
        bytes: bytes.map_err(|error| error.to_string()),
    };
    match manifests(path) {
        Ok(files) => files
            .iter()
            .map(|file| text(file, std::fs::read(file)))
            .collect(),
        Err(error) => vec![text(path, Err(error))],
    }
}

/// Judges the documents of all texts together: see [`collect`].
pub fn judge(texts: &[Text], channel: Channel) -> Collected {
    let limits = Limits::default();
    let loads = texts.iter().map(|text| match &text.bytes {
        Ok(bytes) => read(&text.name, bytes, &limits),
        Err(reason) => {
            let name = text.name.as_str().into();
            let mut loaded = Loaded::default();
            loaded.problems.push(Problem::error(
                &name,
                None,
                format!("cannot be read: {reason}"),
            ));
            loaded
        }
    });
    collect(loads, channel, &limits)
}
