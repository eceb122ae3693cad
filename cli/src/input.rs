//! Manifests of the command line: files, folders, standard input.

use std::io::Read;
use std::path::Path;

use gatepost::controller::Controller;
use gatepost::key;
use gatepost::manifest::Collected;
use gatepost_proxy::options::controller;

use crate::arguments::{Channel, Input, Reading};
use crate::load::Text;

/// Reads everything that the command line names.
pub(crate) fn load(input: &Input) -> Collected {
    let mut texts = Vec::new();
    for path in &input.files {
        if path == Path::new("-") {
            let mut bytes = Vec::new();
            texts.push(Text {
                name: "<stdin>".to_owned(),
                bytes: match std::io::stdin().lock().read_to_end(&mut bytes) {
                    Ok(_) => Ok(bytes),
                    Err(error) => Err(error.to_string()),
                },
            });
        } else {
            texts.extend(crate::load::texts(path));
        }
    }
    crate::load::judge(&texts, channel(input.reading.channel))
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
