//! `gatepost check`: what an API server would refuse, and what resolution finds.

use gatepost::problem::Level;

use crate::arguments::Check;
use crate::check::problems;
use crate::{input, output};

pub(crate) fn run(arguments: &Check) -> u8 {
    let collected = input::load(&arguments.input);
    let problems = problems(&collected, &input::settings(&arguments.input.reading));
    let colours = output::colours();
    let mut text = String::new();
    for problem in &problems {
        let (code, word) = match problem.level {
            Level::Error => ("31", "error"),
            Level::Warning => ("33", "warning"),
            Level::Note => ("36", "note"),
        };
        let line = problem.to_string();
        text.push_str(&line.replacen(
            &format!(" {word}:"),
            &format!(" {}:", output::paint(word, code, colours)),
            1,
        ));
        text.push('\n');
    }
    let errors = problems
        .iter()
        .filter(|problem| problem.level == Level::Error)
        .count();
    output::print(&text);
    output::tell(&format!(
        "{} object{} read, {errors} error{}",
        collected.resources.len(),
        plural(collected.resources.len()),
        plural(errors)
    ));
    match (collected.unreadable, errors) {
        (true, _) => 2,
        (false, 0) => 0,
        (false, _) => 1,
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
