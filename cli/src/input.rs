//! Manifests of the command line: files, folders, standard input.

use std::io::Read;
use std::path::Path;

use gatepost::controller::Controller;
use gatepost::document::Limits;
use gatepost::key;
use gatepost::manifest::{Collected, Loaded, collect, read};
use gatepost::problem::Problem;
use gatepost_proxy::options::controller;
use gatepost_proxy::source::files::manifests;

use crate::arguments::{Channel, Input, Reading};

/// Reads everything that the command line names.
pub(crate) fn load(input: &Input) -> Collected {
    let limits = Limits::default();
    let mut loads = Vec::new();
    for path in &input.files {
        if path == Path::new("-") {
            let mut text = Vec::new();
            loads.push(match std::io::stdin().lock().read_to_end(&mut text) {
                Ok(_) => read("<stdin>", &text, &limits),
                Err(error) => unreadable("<stdin>", &error),
            });
            continue;
        }
        match manifests(path) {
            Ok(files) => loads.extend(files.iter().map(|file| {
                let name = file.display().to_string();
                match std::fs::read(file) {
                    Ok(text) => read(&name, &text, &limits),
                    Err(error) => unreadable(&name, &error),
                }
            })),
            Err(error) => loads.push(unreadable(&path.display().to_string(), &error)),
        }
    }
    collect(loads, channel(input.reading.channel), &limits)
}

fn unreadable(name: &str, error: &std::io::Error) -> Loaded {
    let mut loaded = Loaded::default();
    loaded.problems.push(Problem::error(
        &name.into(),
        None,
        format!("cannot be read: {error}"),
    ));
    loaded
}

pub(crate) fn channel(channel: Channel) -> key::Channel {
    match channel {
        Channel::Standard => key::Channel::Standard,
        Channel::Experimental => key::Channel::Experimental,
    }
}

/// The settings of resolution that the command line asks for.
pub(crate) fn settings(reading: &Reading) -> Controller {
    let mut controller = controller();
    controller
        .controller_name
        .clone_from(&reading.controller_name);
    controller.path_policy = reading.path_policy.unwrap_or_default();
    controller
}

/// Prints the errors of files that cannot be read; whether there were any.
pub(crate) fn report_unreadable(collected: &Collected) -> bool {
    for problem in collected
        .problems
        .iter()
        .filter(|problem| problem.level >= gatepost::problem::Level::Warning)
    {
        crate::output::tell(&format!("{problem}"));
    }
    collected.unreadable
}
