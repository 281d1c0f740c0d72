//! What help says, held against what is parsed.

use clap::{Command, CommandFactory as _, Parser as _};

use super::Args;

/// Every command with its path, such as `ingest keys rotate`; without those
/// called `help`, which clap makes.
fn commands() -> Vec<(String, Command)> {
    fn walk(above: &str, command: &Command, found: &mut Vec<(String, Command)>) {
        let path = format!("{above} {}", command.get_name()).trim().to_owned();
        for below in command.get_subcommands() {
            if below.get_name() != "help" {
                walk(&path, below, found);
            }
        }
        found.push((path, command.clone()));
    }
    let mut root = Args::command();
    root.build();
    let mut found = Vec::new();
    walk("", &root, &mut found);
    found
}

/// The lines under `Examples:`, without what explains them.
fn examples(command: &Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    lines
        .take_while(|line| line.starts_with("  "))
        .map(|line| line.trim().to_owned())
        .collect()
}

/// The arguments of one command in a line of a shell: without what it is piped
/// from and to, and without the remark that follows after two blanks.
fn arguments(example: &str) -> Vec<&str> {
    let begin = example.find("ingest").unwrap_or_default();
    let command = &example[begin..];
    let end = ["  ", " > ", " && ", " | "].map(|mark| command.find(mark));
    let end = end.into_iter().flatten().min().unwrap_or(command.len());
    command[..end].split(' ').collect()
}

#[test]
fn every_command_has_an_example_that_parses() {
    let commands = commands();
    assert!(commands.len() > 30, "{}", commands.len());
    for (path, command) in &commands {
        let examples = examples(command);
        assert!(
            examples.iter().any(|example| {
                let words = arguments(example).join(" ");
                words == *path || words.starts_with(&format!("{path} "))
            }),
            "`{path} --help` has no example of it"
        );
        for example in &examples {
            let parsed = Args::try_parse_from(arguments(example));
            assert!(parsed.is_ok(), "{path}: {example}: {:?}", parsed.err());
        }
    }
}

#[test]
fn help_begins_with_one_short_line() {
    for (path, command) in commands() {
        let about = command.get_about().map(ToString::to_string);
        let about = about.unwrap_or_default();
        assert!((1..=78).contains(&about.chars().count()), "{path}: {about}");
        assert!(!about.ends_with('.'), "{path}: {about}");
        for argument in command.get_arguments() {
            let name = argument.get_id();
            assert!(argument.get_help().is_some(), "{path}: {name}");
        }
    }
}
