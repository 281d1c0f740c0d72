use std::fs;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use jwks_publisher::{DirectoryStore, KeyStore, Publisher, Reload, Tenant};

use crate::support::{DAY, at, key, policy, secret};

#[test]
fn changes_are_published_without_a_restart_and_faults_unpublish_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("acme");
    let open = || DirectoryStore::new(&path, Some(secret()));
    let operator = open();
    let publisher = Arc::new(Publisher::new(|| at(10)));
    let tenant = Tenant::parse("acme").unwrap();
    let without_secret: Arc<dyn KeyStore> = Arc::new(DirectoryStore::new(&path, None));
    let reload = Reload::new(publisher.clone(), [(tenant, without_secret)]);
    let answer = || {
        let response = publisher.respond(&Request::get("/jwks/acme.json").body(()).unwrap());
        let body = String::from_utf8(response.body().clone()).unwrap();
        (response.status().as_u16(), body.matches("\"kid\"").count())
    };
    assert_eq!(answer(), (200, 0), "a ring without keys yet");
    operator.generate("anna", at(0), key(0)).unwrap();
    assert_eq!(answer(), (200, 0), "nobody has looked");
    reload.look();
    assert_eq!(answer(), (200, 1));
    operator
        .rotate("anna", at(5), key(1), &policy(DAY, Duration::ZERO))
        .unwrap();
    reload.look();
    assert_eq!(answer(), (200, 2));
    assert!(publisher.is_ready());

    let away = folder.path().join("away");
    fs::rename(&path, &away).unwrap();
    reload.look();
    assert_eq!(
        answer(),
        (200, 2),
        "a folder that is not mounted drops no key"
    );
    assert!(!publisher.is_ready());
    fs::create_dir(&path).unwrap();
    fs::write(path.join("ring.json"), "damaged").unwrap();
    reload.look();
    assert_eq!(answer(), (200, 2));
    assert!(!publisher.is_ready());
    fs::remove_dir_all(&path).unwrap();
    fs::rename(&away, &path).unwrap();
    reload.look();
    assert_eq!(answer(), (200, 2));
    assert!(publisher.is_ready());
}
