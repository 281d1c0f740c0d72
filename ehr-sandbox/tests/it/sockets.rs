//! The same over the network: what only a connection shows.

use std::time::Duration;

use ehr_sandbox::{Data, FaultPlan, RegisteredClient, Sandbox, Where};
use fhir_http::{UreqClient, UreqConfig};
use http::StatusCode;

use crate::util::{Answer, try_send};

fn ask(transport: &UreqClient, url: &str) -> Answer {
    let headers = [("prefer", "respond-async"), ("accept-encoding", "identity")];
    try_send(transport, "GET", url, &headers, "").expect("an answer")
}

#[test]
fn it_answers_on_loopback() {
    let sandbox = Sandbox::builder().open().start().expect("a sandbox");
    let transport = UreqClient::new(&UreqConfig::default()).expect("a transport");
    let base = sandbox.base();
    assert!(base.starts_with("http://127.0.0.1:") && base.ends_with("/fhir"));
    assert_ne!(sandbox.other_origin() + "/fhir", base);
    assert_eq!(
        ask(&transport, &format!("{base}/metadata")).status,
        StatusCode::OK
    );
    assert_eq!(sandbox.count(&Where::Metadata), 1);

    let kick_off = ask(&transport, &format!("{base}/$export?_type=Patient"));
    let status = kick_off.header("content-location");
    assert_eq!(ask(&transport, status).status, StatusCode::ACCEPTED);
    let manifest = ask(&transport, status).json();
    let url = manifest["output"][0]["url"].as_str().expect("a URL");
    let whole = ask(&transport, url);
    assert!(whole.broken.is_none());

    for (fault, kept) in [
        ("cut=1000", 1000),
        ("cut=1000,chunked", 1000),
        ("cut=99999999", whole.body.len() - 1),
    ] {
        sandbox.set_faults(FaultPlan::of([format!("file:1:{fault}")]).expect("a plan"));
        let cut = ask(&transport, url);
        assert_eq!(cut.status, StatusCode::OK, "{fault}");
        assert!(cut.broken.is_some(), "{fault}");
        assert!(
            cut.body.len() <= kept && whole.body.starts_with(&cut.body),
            "{fault}"
        );
    }
    sandbox.set_faults(FaultPlan::of(["file:1:drop"]).expect("a plan"));
    let headers = [];
    let lost = try_send(&transport, "GET", url, &headers, "");
    assert!(
        lost.is_err() || lost.is_ok_and(|answer| answer.broken.is_some() && answer.body.is_empty())
    );
    assert!(ask(&transport, url).broken.is_none());
    sandbox.stop();
    let config = UreqConfig::default().connect_timeout(Duration::from_secs(2));
    let transport = UreqClient::new(&config).expect("a transport");
    assert!(try_send(&transport, "GET", &format!("{base}/metadata"), &headers, "").is_err());
}

#[test]
fn writes_arrive_even_where_the_answer_does_not() {
    let builder = Sandbox::builder().open().data(Data::default()).writable();
    let sandbox = builder.start().expect("a sandbox");
    let transport = UreqClient::new(&UreqConfig::default()).expect("a transport");
    let json = [("content-type", "application/fhir+json")];
    let url = format!("{}/Basic/a", sandbox.base());
    // Longer than a server takes by default.
    let text = "x".repeat(2 * 1024 * 1024);
    let body = format!(r#"{{"resourceType":"Basic","id":"a","x":"{text}"}}"#);
    let created = try_send(&transport, "PUT", &url, &json, &body).expect("an answer");
    assert_eq!(created.status, StatusCode::CREATED);

    let body = r#"{"resourceType":"Basic","id":"a"}"#;
    for (fault, version) in [("after=drop", "2"), ("drop", "2"), ("cut=5", "3")] {
        let plan = FaultPlan::of([format!("write:1:{fault}")]).expect("a plan");
        sandbox.set_faults(plan);
        let answer = try_send(&transport, "PUT", &url, &json, body);
        assert!(
            answer.map_or(true, |answer| answer.broken.is_some()),
            "{fault}"
        );
        let now = try_send(&transport, "GET", &url, &[], "").expect("an answer");
        assert_eq!(now.json()["meta"]["versionId"], version, "{fault}");
    }
    assert_eq!(sandbox.count(&Where::Write), 4);
}

#[test]
fn jwk_sets_are_fetched_over_the_network() {
    // Nothing listens at port 1, which the token endpoint says.
    let client = RegisteredClient::new("app").jwks_url("http://127.0.0.1:1/jwks.json");
    let sandbox = Sandbox::builder()
        .client(client)
        .start()
        .expect("a sandbox");
    let transport = UreqClient::new(&UreqConfig::default()).expect("a transport");
    let part = |text: &str| crate::util::encode(text.as_bytes());
    let header = part(r#"{"alg":"ES384","kid":"k","typ":"JWT"}"#);
    let claims = part(r#"{"iss":"app","sub":"app"}"#);
    let form = format!(
        "grant_type=client_credentials&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion={header}.{claims}.AA"
    );
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer = try_send(&transport, "POST", &sandbox.token_url(), &headers, &form).expect("one");
    assert_eq!(
        answer.json()["error_description"],
        "the JWK Set URL of the client can't be fetched"
    );
}
