//! The gatepost command line: a thin face over the library and the proxy.
//!
//! [`main`] is what the binary runs, and what other faces of the same command line run. Faces that hand out results instead of
//! printing them use the modules: [`load`], [`mod@check`], [`mod@explain`].

mod arguments;
pub mod check;
mod commands;
pub mod explain;
mod input;
pub mod load;
mod output;
mod yaml;

use std::ffi::OsString;

use clap::Parser;

use arguments::{Arguments, Command};

pub use gatepost_proxy::time::now;

/// Runs the command line and says the exit code. 0: all well; 1: problems were found; 2: bad usage or unreadable input.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nowhere to print means nothing to say.
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    match arguments.command {
        Command::Serve(arguments) => commands::serve::run(arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Status(arguments) => commands::status::run(&arguments),
        Command::Explain(arguments) => commands::explain::run(&arguments),
        Command::Routes(arguments) => commands::routes::run(&arguments),
        Command::Demo(arguments) => commands::demo::run(arguments),
    }
}
