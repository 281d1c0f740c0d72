//! What was asked for on the command line.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::engine::{Allowance, Budget, Settings};
use crate::targets::{ALL, Entry};

pub(crate) struct Options {
    pub(crate) targets: Vec<&'static Entry>,
    pub(crate) settings: Settings,
    /// More to begin with.
    pub(crate) corpus: Vec<PathBuf>,
    pub(crate) replay: Option<PathBuf>,
    pub(crate) list: bool,
    /// As many inputs as the tests take.
    pub(crate) smoke: bool,
}

impl Options {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            targets: Vec::new(),
            settings: Settings {
                seed: 0,
                budget: Budget::Time(Duration::from_secs(60)),
                findings: Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fuzz"),
                careful: false,
                allowance: Allowance::USUAL,
                memory: true,
            },
            corpus: Vec::new(),
            replay: None,
            list: false,
            smoke: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            let settings = &mut options.settings;
            match argument.as_str() {
                "--seconds" => {
                    let seconds = number(&argument, &value()?)?;
                    settings.budget = Budget::Time(Duration::from_secs(seconds));
                }
                "--inputs" => settings.budget = Budget::Inputs(number(&argument, &value()?)?),
                "--seed" => settings.seed = number(&argument, &value()?)?,
                "--findings" => settings.findings = value()?.into(),
                "--corpus" => options.corpus.push(value()?.into()),
                "--replay" => options.replay = Some(value()?.into()),
                "--careful" => settings.careful = true,
                "--smoke" => options.smoke = true,
                "--list" => options.list = true,
                name => options.targets.push(named(name)?),
            }
        }
        if let Some(missing) = options.corpus.iter().find(|folder| !folder.exists()) {
            return Err(format!("there is no {}", missing.display()));
        }
        if options.replay.is_some() && options.targets.len() != 1 {
            return Err("--replay is for one target: name it".to_owned());
        }
        if options.targets.is_empty() {
            options.targets = ALL.to_vec();
        }
        Ok(options)
    }
}

fn named(name: &str) -> Result<&'static Entry, String> {
    let found = ALL.into_iter().find(|entry| entry.target.name == name);
    found.ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|entry| entry.target.name).collect();
        format!(
            "there is no target or option {name}; there are {}",
            names.join(", ")
        )
    })
}

fn number<T: FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{name} is a number, not {text}"))
}
