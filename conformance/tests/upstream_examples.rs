//! Upstream's own examples: the valid ones are taken, each invalid one is refused.

use std::path::Path;

use gatepost::document::Limits;
use gatepost::key::Channel;
use gatepost::manifest::{self, Loaded};
use gatepost::problem::Level;
use gatepost_conformance::upstream;

/// The errors of a file, unknown fields included, as a strict API server of the channel would say them.
fn errors(file: &Path, channel: Channel) -> Vec<String> {
    let text = std::fs::read(file).expect("readable");
    let loaded: Loaded = manifest::read(&file.display().to_string(), &text, &Limits::default());
    let collected = manifest::collect([loaded], channel, &Limits::default());
    let refused = collected
        .problems
        .iter()
        .filter(|problem| problem.level >= Level::Warning);
    refused.map(ToString::to_string).collect()
}

fn channel(file: &Path) -> Channel {
    let experimental = file
        .components()
        .any(|part| part.as_os_str() == "experimental");
    if experimental {
        Channel::Experimental
    } else {
        Channel::Standard
    }
}

#[test]
fn valid_examples_are_taken() {
    let module = upstream::module().expect("the module of Gateway API");
    let files = upstream::files(&module.join("examples")).expect("the examples");
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|file| errors(file, channel(file)))
        .collect();
    println!("{} files, {} disagreements", files.len(), wrong.len());
    assert!(files.len() >= 89, "only {} files", files.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn invalid_examples_are_refused() {
    let module = upstream::module().expect("the module of Gateway API");
    let files = upstream::files(&module.join("hack/invalid-examples")).expect("the examples");
    let taken: Vec<String> = files
        .iter()
        .filter(|file| errors(file, channel(file)).is_empty())
        .map(|file| file.display().to_string())
        .collect();
    println!("{} files, {} disagreements", files.len(), taken.len());
    assert!(files.len() >= 20, "only {} files", files.len());
    assert!(taken.is_empty(), "{}", taken.join("\n"));
}
