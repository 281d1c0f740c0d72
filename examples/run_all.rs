//! Every example runs, on this machine alone, and prints what it says it shows.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use ehr_sandbox::{Data, ExportSettings, MllpSender, RegisteredClient, Sandbox, Where};
use fhir_http::{Client, Clock as _, SystemClock, UreqClient, UreqConfig};
use smart_auth::{Algorithm, PrivateKey};
use tempfile::TempDir;

/// Examples that need nothing, with parts of what they print.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "canonical_hash",
        &[
            "  {\"unit\":\"mg\",\"value\":1.00}\n",
            "  {\"unit\":\"mg\",\"value\":1.0}\n",
        ],
    ),
    ("embed", &["41 created, 0 updated, 0 refused\n"]),
    (
        "load_folder",
        &[
            "load 1: 41 resources, 41 created, 0 updated, 0 unchanged, 0 quarantined\n",
            "  Patient: 2\n",
            "load 2: 41 resources, 0 created, 0 updated, 41 unchanged, 0 quarantined\n",
        ],
    ),
    (
        "normalize_line",
        &[
            "source id   weight_1\n",
            "mended      Observation.code: unknown-concept\n",
            "\"subject\":{\"reference\":\"Patient/p1\"}",
            "\"value\":70.50,",
            "refused     missing-required-reference",
        ],
    ),
    (
        "own_store",
        &[
            "the store keeps its promises\n",
            "line 2: invalid-json\n",
            "version 1: {\"resourceType\":\"Patient\",\"id\":\"p1\",\"gender\":\"male\"}\n",
            "version 2: {\"resourceType\":\"Patient\",\"id\":\"p1\",\"gender\":\"female\"}\n",
        ],
    ),
    (
        "provenance",
        &[
            "\"recorded\": \"2026-01-02T03:04:05.678Z\"",
            "\"code\": \"UPDATE\"",
            "\"value\": \"MSG00001\"",
        ],
    ),
    (
        "sandbox",
        &["50 patients by 2 requests\n", " of waiting left out\n"],
    ),
];

/// Examples that need a server, or are one; each has a test of its own.
const NETWORK: &[&str] = &[
    "backend_services",
    "bulk_to_ndjson",
    "bulk_to_sqlite",
    "jwks_axum",
    "receive_adt",
    "serve",
];

/// `target/PROFILE/examples`, where cargo has put them before this test runs.
fn folder() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    profile.join("examples")
}

fn command(name: &str) -> Command {
    let path = folder().join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(path);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command
}

/// What an example prints when it succeeds.
#[track_caller]
fn print<'a>(name: &str, arguments: impl IntoIterator<Item = &'a str>) -> String {
    let output = command(name)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{name}: {error}; run cargo test -p ingest-examples"));
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        output.status.success(),
        "{name}: {printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    printed
}

const CLIENT: &str = "examples";

/// A sandbox EHR of twelve patients that knows the client `CLIENT`, and a
/// folder with its key.
struct Site {
    ehr: Sandbox,
    folder: TempDir,
}

impl Site {
    fn new(gzip: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let private = PrivateKey::generate_p384().expect("a key");
        std::fs::write(folder.path().join("client.pem"), private.to_pem().expose())
            .expect("a file");
        let public = private.public_jwk(Algorithm::Es384).expect("P-384");
        let jwks = serde_json::json!({ "keys": [public] }).to_string();
        let mut export = ExportSettings::default();
        export.retry_after = None;
        export.gzip = gzip;
        let ehr = Sandbox::builder()
            .data(Data::synthetic(7, 12))
            .client(RegisteredClient::new(CLIENT).jwks(jwks))
            .export(export)
            .start()
            .expect("an EHR");
        Self { ehr, folder }
    }

    fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    /// Nothing was asked for without a token, and no token went astray.
    #[track_caller]
    fn assert_careful(&self) {
        for request in self.ehr.requests() {
            let open = request.place.as_ref().is_some_and(|place| {
                matches!(place, Where::Discovery | Where::Token | Where::Metadata)
            });
            assert!(request.authorized || open, "{:?}", request.path);
            assert!(!request.elsewhere, "{:?}", request.path);
        }
    }
}

#[test]
fn every_example_does_what_it_says() {
    for (name, parts) in EXAMPLES {
        let printed = print(name, []);
        for part in *parts {
            assert!(printed.contains(part), "{name} lacks {part}: {printed}");
        }
    }
}

#[test]
fn equal_trees_have_equal_hashes_and_other_digits_another() {
    let printed = print("canonical_hash", []);
    let hashes: Vec<_> = printed.lines().map(|line| &line[..16]).collect();
    assert_eq!(hashes[0], hashes[1]);
    assert_ne!(hashes[1], hashes[2]);
}

#[test]
fn a_token_opens_the_patients() {
    let site = Site::new(true);
    let (base, key) = (site.ehr.base(), site.path("client.pem"));
    let printed = print("backend_services", [&*base, CLIENT, &key]);
    assert!(printed.contains("granted system/Patient."), "{printed}");
    assert!(printed.ends_with("10 on this page\n"), "{printed}");
    assert_eq!(printed.matches("Patient: ").count(), 10, "{printed}");
    assert_eq!(site.ehr.count(&Where::Token), 1);
    site.assert_careful();
}

#[test]
fn an_export_becomes_files() {
    for (gzip, suffix) in [(false, ".ndjson"), (true, ".ndjson.gz")] {
        let site = Site::new(gzip);
        let (base, key, files) = (site.ehr.base(), site.path("client.pem"), site.path("files"));
        let printed = print("bulk_to_ndjson", [&*base, CLIENT, &key, &files]);
        assert!(printed.contains("complete as of "), "{printed}");
        assert_eq!(site.ehr.count(&Where::Delete), 1);
        site.assert_careful();

        let mut texts = Vec::new();
        for entry in std::fs::read_dir(&files).expect("a folder") {
            let path = entry.expect("a file").path();
            assert!(path.to_string_lossy().ends_with(suffix), "{path:?}");
            texts.push(std::fs::read(path).expect("a file"));
        }
        let data = site.ehr.data();
        let mut expected: Vec<_> = data.resources().map(|it| it.json().as_bytes()).collect();
        if !gzip {
            let lines = texts
                .iter()
                .flat_map(|text| text.split(|&byte| byte == b'\n'));
            let mut lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
            lines.sort_unstable();
            expected.sort_unstable();
            assert!(lines == expected, "other resources than the EHR has");
        }
        let all = expected.len();
        let printed = print("load_folder", [&*files, &site.path("acme.db")]);
        let loaded = format!("load 1: {all} resources, {all} created, ");
        assert!(printed.contains(&loaded), "{printed}");
    }
}

#[test]
fn exports_keep_a_store_up_to_date() {
    let site = Site::new(true);
    let configuration = format!(
        "[connections.memorial]\nfhir_base = {:?}\nclient_id = {CLIENT:?}\n\
         signing_key = {{ file = \"client.pem\" }}\nscopes = [\"system/*.rs\"]\n\
         level = \"system\"\n\
         [connections.memorial.bulk]\npoll_min = \"10ms\"\npoll_max = \"50ms\"\n",
        site.ehr.base()
    );
    let file = site.path("ingest.toml");
    std::fs::write(&file, configuration).expect("a file");
    let store = site.path("acme.db");
    let run = || print("bulk_to_sqlite", [&*file, "memorial", &store]);

    let printed = run();
    let all = site.ehr.data().resources().count();
    let counts = format!("{all} created, 0 updated, 0 unchanged, 0 deleted, 0 quarantined\n");
    assert!(printed.starts_with("completed: "), "{printed}");
    assert!(printed.contains("\nsince ever\n"), "{printed}");
    assert!(printed.ends_with(&counts), "{printed}");

    site.ehr.change_data(7, 10, SystemClock.now());
    let printed = run();
    assert!(printed.starts_with("completed: "), "{printed}");
    assert!(printed.contains("\nsince 2"), "{printed}");
    assert!(!printed.contains(" 0 updated"), "{printed}");
    assert!(Path::new(&store).exists());
    site.assert_careful();
}

#[test]
fn servers_answer_until_they_are_stopped() {
    serves("serve", |status, body| {
        assert_eq!((status, body), (200, "hello\n"));
    });
    serves("jwks_axum", |status, body| {
        assert_eq!(status, 200);
        assert!(body.starts_with("{\"keys\":[{\"kty\":\"EC\""), "{body}");
    });
}

#[test]
fn messages_are_acknowledged_and_told() {
    let mut server = command("receive_adt")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a listener");
    let mut printed = BufReader::new(server.stdout.take().expect("its output"));
    let mut line = || {
        let mut line = String::new();
        printed.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    };
    let address = line().parse().expect("its address");
    let mut sender = MllpSender::connect(address).expect("a connection");
    let message = "MSH|^~\\&|A|B|C|D|20270101||ADT^A08|7|P|2.5.1\rPID|||42^^^B^MR\r";
    let answer = sender.send(message.as_bytes()).expect("an answer");
    assert_eq!(
        (answer.code(), answer.control_id()),
        ("AA".into(), "7".into())
    );
    assert_eq!(line(), "A08 42");
    assert_eq!(sender.send(b"no message").expect("an answer").code(), "AR");
    drop(sender);
    drop(server.stdin.take());
    assert!(server.wait().expect("its end").success());
    assert_eq!(line(), "stopped");
}

#[track_caller]
fn serves(example: &str, check: impl Fn(u16, &str)) {
    let mut server = command(example)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a server");
    let mut printed = BufReader::new(server.stdout.take().expect("its output"));
    let mut url = String::new();
    printed.read_line(&mut url).expect("its address");

    let transport = UreqClient::new(&UreqConfig::default()).expect("a transport");
    let client = Client::new(Arc::new(transport), Arc::new(SystemClock));
    let get = |url: &str| {
        let request = http::Request::get(url).body(Vec::new()).expect("a URL");
        let response = client.fetch(request, 1000).expect("an answer");
        let body = String::from_utf8(response.body().clone()).expect("UTF-8");
        (response.status().as_u16(), body)
    };
    let (status, body) = get(url.trim());
    check(status, &body);
    assert_eq!(get(&format!("{}/again", url.trim())).0, 404);

    drop(server.stdin.take());
    assert!(server.wait().expect("its end").success());
    let mut rest = String::new();
    printed.read_line(&mut rest).expect("its last words");
    assert_eq!(rest, "stopped\n");
}

#[test]
fn the_readme_shows_the_example_that_runs() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let read = |path: PathBuf| std::fs::read_to_string(path).expect("a file of the repository");
    let example = read(root.join("embed.rs"));
    let (_, code) = example.split_once("\n\n").expect("code after the header");
    assert!(read(root.join("../README.md")).contains(&format!("```rust\n{code}```")));
}

#[test]
fn every_example_is_listed() {
    let read = |name: &str| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
        std::fs::read_to_string(path).expect("a file of this package")
    };
    let (manifest, readme) = (read("Cargo.toml"), read("README.md"));
    let declared = manifest.matches("[[example]]").count();
    let names = EXAMPLES.iter().map(|(name, _)| name).chain(NETWORK);
    assert_eq!(
        declared,
        names.clone().count(),
        "an example that this test doesn't run"
    );
    for name in names {
        assert!(
            readme.contains(&format!("({name}.rs)")),
            "{name} is not in the README"
        );
    }
}
