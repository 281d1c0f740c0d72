//! Configurations, connections and keys that are missing or can't be used.

use super::assert_rows;
use crate::util::Sandbox;

#[test]
fn no_configuration() {
    let folder = Sandbox::new();
    folder.write("binary.toml", b"\x89PNG");
    folder.write("message.hl7", "MSH|^~\\&|\r");
    let connection = [
        "the configuration has no",
        "[connections.NAME]",
        "ingest init",
    ];
    let which = [
        "which connection? the configuration has none",
        "[connections.NAME]",
    ];
    let tenant = ["no tenant is configured", "ingest init"];
    assert_rows(
        &folder,
        &[
            (&["test", "a"], 4, &connection),
            (&["bulk", "a"], 4, &connection),
            (&["fetch", "a", "--mrn", "1"], 4, &connection),
            (&["adt", "listen"], 4, &which),
            (&["adt", "process", "message.hl7"], 4, &which),
            (&["keys", "generate"], 4, &tenant),
            (&["keys", "list"], 4, &tenant),
            (&["keys", "prune"], 4, &tenant),
            (&["jwks", "export"], 4, &["key ring", "ingest init"]),
            (&["jwks", "serve"], 4, &["key ring", "ingest init"]),
            (
                &["test", "--store"],
                4,
                &["no FHIR server", "`fhir` in [store]"],
            ),
            (
                &["load", "--tenant", "b", "message.hl7"],
                4,
                &["no tenant b", "--config"],
            ),
            (&["test"], 2, &["<CONNECTION>"]),
            (&["bulk"], 2, &["<CONNECTION>"]),
            (&["fetch", "a"], 2, &["--patient <ID>", "--mrn <VALUE>"]),
            (&["bulks"], 2, &["'bulks'"]),
            (
                &["bulk", "a", "--since", "monday"],
                2,
                &["auto, full, or an instant"],
            ),
            (
                &["bulk", "a", "--config", "no.toml"],
                4,
                &["cannot read the configuration no.toml", "INGEST_CONFIG"],
            ),
            (
                &["bulk", "a", "--config", "."],
                4,
                &["cannot read the configuration .", "--config"],
            ),
            (
                &["bulk", "a", "--config", "binary.toml"],
                4,
                &["binary.toml", "UTF-8", "--config"],
            ),
            (
                &["init", "message.hl7"],
                4,
                &["cannot write message.hl7", "choose a folder"],
            ),
        ],
    );
}

#[test]
fn a_connection_that_can_not_be_used() {
    for (connection, exit, words) in [
        (
            "fhir_base = \"http://ehr.example/fhir\"",
            4,
            ["ingest.toml:5", "use https"].as_slice(),
        ),
        (
            "fhir_base = \"ehr\"",
            4,
            &["ingest.toml:5", "`fhir_base`", "not absolute"],
        ),
        (
            "client_secret = { env = \"INGEST_TEST_NOT_SET\" }",
            4,
            &["INGEST_TEST_NOT_SET", "set the environment variable"],
        ),
        (
            "signing_key = { file = \"no.pem\" }",
            4,
            &["cannot read no.pem", "check the path"],
        ),
        (
            "signing_key = { file = \"public.pem\" }",
            4,
            &["public.pem", "it is a public key", "private"],
        ),
        (
            "signing_key = { file = \"cut.pem\" }",
            4,
            &["cut.pem", "the file is cut"],
        ),
        (
            "signing_key = { file = \"sealed.pem\" }",
            4,
            &["sealed.pem", "encrypted", "openssl pkey"],
        ),
        (
            "scopes = [\"system/Patient.write\"]",
            4,
            &["system/Patient.write", "EHRs are only read"],
        ),
        (
            "vendor = \"epik\"",
            4,
            &["ingest.toml:5", "did you mean `epic`?"],
        ),
        (
            "client_secret = { file = \"secret\" }",
            6,
            &["127.0.0.1:1", "check the address"],
        ),
    ] {
        let folder = Sandbox::new();
        folder.write("secret", "a secret");
        let pem = |kind: &str, end: &str| format!("-----BEGIN {kind}-----\nMAAA\n{end}");
        let whole = |kind: &str| pem(kind, &format!("-----END {kind}-----\n"));
        folder.write("public.pem", whole("PUBLIC KEY"));
        folder.write("sealed.pem", whole("ENCRYPTED PRIVATE KEY"));
        folder.write("cut.pem", pem("PRIVATE KEY", ""));
        // Nothing listens on the port of "tcpmux".
        let base = match connection.starts_with("fhir_base") {
            true => "",
            false => "fhir_base = \"http://127.0.0.1:1/fhir\"",
        };
        folder.write(
            "ingest.toml",
            format!(
                "[tenants.t]\nkeys = \"keys\"\n[connections.a]\n{base}\n{connection}\n\
                 tenant = \"t\"\nclient_id = \"x\"\nlevel = \"system\"\n\
                 [connections.a.http]\nretries = 0\n"
            ),
        );
        assert_rows(&folder, &[(&["bulk", "a"], exit, words)]);
    }
}

#[test]
fn one_of_several_has_to_be_named() {
    let folder = Sandbox::new();
    folder.write("x.hl7", "");
    folder.write(
        "ingest.toml",
        "[tenants.t]\nkeys = \"t\"\n[tenants.u]\nkeys = \"u\"\n\
         [connections.mercy]\nfhir_base = \"https://a.example\"\ntenant = \"t\"\n\
         [connections.saint]\nfhir_base = \"https://b.example\"\ntenant = \"u\"\n",
    );
    let which = ["which connection? there are: mercy, saint", "--connection"];
    let tenant = ["several tenants", "--tenant: t, u"];
    assert_rows(
        &folder,
        &[
            (&["adt", "listen"], 4, &which),
            (&["adt", "process", "x.hl7"], 4, &which),
            (
                &["bulk", "mercyy"],
                4,
                &["`mercyy`", "there are: mercy, saint"],
            ),
            (&["keys", "list"], 4, &tenant),
            (
                &["keys", "list", "--tenant", "v"],
                4,
                &["no tenant v", "there are: t, u"],
            ),
            (
                &["load", "--tenant", "v", "x.hl7"],
                4,
                &["no tenant v", "there are: t, u"],
            ),
        ],
    );
}
