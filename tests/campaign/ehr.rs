//! The EHR of a plan: in this process, where it can be seen and changed, or a
//! process of its own, where it can be killed.

use std::fmt::Write as _;
use std::time::Duration;

use ehr_sandbox::{
    Builder, Data, ExportSettings, FaultPlan, ManifestStyle, RegisteredClient, Sandbox,
};
use fhir_http::{Clock as _, SystemClock};
use serde_json::Value;

use crate::finding::{Result, wrong};
use crate::folder::{Folder, Limits, Shared, Started, eventually};
use crate::plan::Channel;
use crate::random::Random;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);

pub(crate) enum Ehr {
    Here(Box<Sandbox>),
    Process(Box<Process>),
}

/// An EHR in a process of its own. Its data does not change.
pub(crate) struct Process {
    data: Data,
    running: Option<Started>,
    address: String,
}

impl Ehr {
    /// In this process. With clients it wants tokens.
    pub(crate) fn here(data: Data, client: Option<RegisteredClient>, random: &mut Random) -> Self {
        let mut export = ExportSettings::default();
        export.retry_after = None;
        export.resources_per_file = *random.pick(&[5, 20, 60]);
        export.gzip = random.chance(60);
        export.polls = random.below(3) as u32;
        export.manifest = *random.pick(&[
            ManifestStyle::V3,
            ManifestStyle::V3,
            ManifestStyle::V4,
            ManifestStyle::StringBooleans,
        ]);
        export.files_elsewhere = random.chance(20);
        let builder: Builder = Sandbox::builder().data(data).export(export);
        let builder = match client {
            Some(client) => builder.client(client),
            None => builder.open(),
        };
        Self::Here(Box::new(builder.start().expect("an EHR")))
    }

    /// `ingest sandbox`.
    pub(crate) fn process(folder: &Folder, data: Data) -> Result<Self> {
        let mut types: std::collections::BTreeMap<&str, String> = std::collections::BTreeMap::new();
        for own in data.resources() {
            let text = types.entry(own.resource_type()).or_default();
            let _ = writeln!(text, "{}", own.json());
        }
        for (name, text) in types {
            folder.write(&format!("ehr/{name}.ndjson"), text);
        }
        folder.write("secret", "sandbox-secret");
        let mut process = Process {
            data,
            running: None,
            address: "127.0.0.1:0".to_owned(),
        };
        process.start(folder)?;
        Ok(Self::Process(Box::new(process)))
    }

    pub(crate) fn base(&self) -> String {
        match self {
            Self::Here(sandbox) => sandbox.base(),
            Self::Process(process) => format!("http://{}/fhir", process.address),
        }
    }

    pub(crate) fn data(&self) -> Data {
        match self {
            Self::Here(sandbox) => sandbox.data(),
            Self::Process(process) => process.data.clone(),
        }
    }

    /// Some of the data changes now.
    pub(crate) fn change(&self, random: &mut Random) {
        if let Self::Here(sandbox) = self {
            let percent = random.within(5, 50) as u8;
            sandbox.change_data(random.next(), percent, SystemClock.now());
        }
    }

    pub(crate) fn set_faults(&self, texts: &[String]) {
        if let Self::Here(sandbox) = self {
            sandbox.set_faults(FaultPlan::of(texts).expect("faults"));
        }
    }

    /// Its process, where it is one.
    pub(crate) fn child(&self) -> Option<Shared> {
        match self {
            Self::Process(process) => process.running.as_ref().map(|own| own.child.clone()),
            Self::Here(_) => None,
        }
    }

    /// Where it was killed, it is there again, and has forgotten its exports:
    /// whether that was so.
    pub(crate) fn revive(&mut self, folder: &Folder) -> Result<bool> {
        match self {
            Self::Process(process)
                if process
                    .running
                    .as_ref()
                    .is_none_or(|own| own.child.is_over()) =>
            {
                process.start(folder).map(|()| true)
            }
            _ => Ok(false),
        }
    }
}

impl Process {
    /// At the address where it was before.
    fn start(&mut self, folder: &Folder) -> Result<()> {
        let arguments = [
            "sandbox",
            "--json",
            "--data",
            "ehr",
            "--listen",
            &self.address,
        ];
        let running = folder.start(&arguments, &Limits::default());
        let base = told(&running, "fhir_base")?;
        let address = base.trim_start_matches("http://").trim_end_matches("/fhir");
        self.address = address.to_owned();
        self.running = Some(running);
        Ok(())
    }
}

/// What a server says of itself when it is there.
pub(crate) fn told(running: &Started, name: &str) -> Result<String> {
    let mut found = None;
    let there = eventually(START, || {
        let told: Option<Value> = serde_json::from_str(&running.out()).ok();
        found = told.and_then(|told| told[name].as_str().map(str::to_owned));
        found.is_some() || running.child.is_over()
    });
    match (found, there) {
        (Some(found), true) => Ok(found),
        _ => wrong(format!("a server does not start: {}", running.log())),
    }
}

/// Things that go wrong at an EHR.
pub(crate) fn faults(channel: Channel, random: &mut Random) -> Vec<String> {
    (0..random.within(1, 3))
        .map(|_| match channel {
            Channel::Messages => of_reading(random),
            _ => of_exports(random),
        })
        .collect()
}

fn of_exports(random: &mut Random) -> String {
    let places = [
        "discovery",
        "token",
        "kick-off",
        "status",
        "manifest",
        "file",
        "file",
        "file",
        "file",
        "delete",
    ];
    let place = *random.pick(&places);
    let mut whats = passing(random);
    match place {
        "status" => whats.extend(["expired=404", "expired=410", "stuck"].map(str::to_owned)),
        "manifest" => {
            let count = if random.chance(50) {
                "count=+1"
            } else {
                "count=-1"
            };
            let more = [
                count,
                "duplicate-url",
                "no-error-key",
                "next-link",
                "outcome-errors",
            ];
            whats.extend(more.map(str::to_owned));
            whats.push("relative-urls".to_owned());
        }
        "file" => {
            let more = [
                "expired=404",
                "expired=410",
                "wrong-type",
                "no-range",
                "changed-etag",
            ];
            whats.extend(more.map(str::to_owned));
            whats.push(format!("short={}", random.within(1, 3)));
            whats.push(format!("gzip-cut={}", random.below(400)));
            whats.push(format!("cut={}", random.below(4_000)));
        }
        "kick-off" => whats.extend(["relative-urls", "after=drop"].map(str::to_owned)),
        "delete" => whats.push("after=drop".to_owned()),
        _ => {}
    }
    if !["discovery", "token"].contains(&place) {
        whats.push("expire-token".to_owned());
    }
    let place = match place {
        "file" => match random.below(3) {
            0 => "file".to_owned(),
            1 => format!("file/{}", random.within(1, 8)),
            _ => format!(
                "file/{}",
                random.pick(&["Patient", "Observation", "Encounter"])
            ),
        },
        place => place.to_owned(),
    };
    let what = random.pick(&whats).clone();
    let hits = match (place.as_str(), what.as_str()) {
        // A client waits whenever it is told so. For ever would be for as long
        // as it has patience, and the export would be too late after that.
        ("status", "stuck" | "transient" | "status=429,retry-after=0") => {
            format!("first-{}", random.within(1, 6))
        }
        _ => hits(random),
    };
    format!("{place}:{hits}:{what}")
}

fn of_reading(random: &mut Random) -> String {
    let place = *random.pick(&["search", "search", "search", "read", "metadata"]);
    let mut whats = passing(random);
    if place == "read" {
        // What an EHR forbids is left out, and said to be: nobody asks for it
        // again until the next message.
        whats.retain(|what| !what.contains("forbidden"));
    }
    if place == "search" {
        whats.push("relative-urls".to_owned());
    }
    format!("{place}:{}:{}", hits(random), random.pick(&whats))
}

/// What may happen anywhere.
fn passing(random: &mut Random) -> Vec<String> {
    let texts = [
        "status=503",
        "status=500,body=html",
        "status=429,retry-after=0",
        "status=408",
        "status=403,body=outcome/forbidden",
        "status=502,retry-after=soon",
        "drop",
        "html",
        "transient",
        "redirect",
        "content-type=text/plain",
    ];
    let mut all = texts.map(str::to_owned).to_vec();
    let cut = random.below(2_000);
    all.push(format!("cut={cut}"));
    all.push(format!("cut={cut},chunked"));
    all.push(format!("delay={}", random.below(200)));
    all
}

fn hits(random: &mut Random) -> String {
    match random.below(8) {
        0 => "every".to_owned(),
        1 | 2 => format!("first-{}", random.within(1, 3)),
        _ => random.within(1, 8).to_string(),
    }
}
