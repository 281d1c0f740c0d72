use jwks_publisher::{Export, KeyStore, MemoryStore, Publisher, Tenant};

use crate::support::{DAY, HOUR, at, key, policy};

#[test]
fn files_come_with_the_headers_they_need() {
    let store = MemoryStore::new();
    store.generate("test", at(0), key(0)).unwrap();
    store
        .rotate("test", at(0), key(1), &policy(DAY, HOUR))
        .unwrap();
    let acme = Tenant::parse("acme").unwrap();
    let publisher = Publisher::new(|| at(0)).default_set(acme.clone());
    publisher.publish(acme, store.load().unwrap());

    let export = Export::of(&publisher);
    let paths: Vec<_> = export.files.iter().map(|file| file.path.as_str()).collect();
    let expected = [
        ".well-known/jwks.json",
        ".well-known/jwks.json.headers",
        "jwks/acme.json",
        "jwks/acme.json.headers",
    ];
    assert_eq!(paths, expected);
    let request = http::Request::get("/jwks/acme.json").body(()).unwrap();
    let served = publisher.respond(&request);
    assert_eq!(&export.files[2].content, served.body());
    let headers = String::from_utf8(export.files[3].content.clone()).unwrap();
    for (name, value) in served
        .headers()
        .iter()
        .filter(|(name, _)| *name != "content-length")
    {
        let line = format!("{name}: {}\n", value.to_str().unwrap());
        assert!(headers.contains(&line), "{line} in {headers}");
    }
    assert!(
        headers.contains("# to be made anew by 2027-01-15T09:00:00Z"),
        "{headers}"
    );
    assert_eq!(export.valid_until, Some(at(3_600)));
}
