use std::sync::Arc;
use std::time::Duration;

use jwks_publisher::{Algorithm, DirectoryStore, Error, KeyStore, RingSigner, Signer as _};

use crate::support::{DAY, HOUR, at, key, kid, policy, secret};

#[test]
fn a_rotation_counts_from_the_next_signature_on() {
    let folder = tempfile::tempdir().unwrap();
    let open = || DirectoryStore::new(folder.path(), Some(secret()));
    let signer = RingSigner::new(Arc::new(open()), vec![Algorithm::Es384]);
    assert!(matches!(
        signer.active(at(0)),
        Err(Error::NoActiveKey { .. })
    ));

    // As another process does it.
    let operator = open();
    operator.generate("anna", at(0), key(0)).unwrap();
    let in_flight = signer.active(at(1)).unwrap();
    assert_eq!(in_flight.kid(), kid(0));
    assert!(
        Arc::ptr_eq(&in_flight, &signer.active(at(2)).unwrap()),
        "parsed once"
    );

    operator
        .rotate("anna", at(3), key(1), &policy(DAY, Duration::ZERO))
        .unwrap();
    assert_eq!(signer.active(at(3)).unwrap().kid(), kid(1));
    // What was begun with the old key can be ended, and verified.
    let signature = in_flight.sign(b"assertion").unwrap();
    let ring = operator.load().unwrap();
    let published: Vec<_> = ring.published(at(3)).collect();
    assert!(published[0].jwk().verify(b"assertion", &signature));

    operator
        .rotate("anna", at(4), key(2), &policy(DAY, HOUR))
        .unwrap();
    assert_eq!(
        signer.active(at(5)).unwrap().kid(),
        kid(1),
        "the new one is pending"
    );
    assert_eq!(
        signer.active(at(4 + 3_600)).unwrap().kid(),
        kid(2),
        "by the clock alone"
    );

    operator
        .rotate(
            "anna",
            at(8_000),
            key(3),
            &policy(Duration::ZERO, Duration::ZERO),
        )
        .unwrap();
    assert_eq!(signer.active(at(8_000)).unwrap().kid(), kid(3));
    assert!(
        operator.load().unwrap().key(&kid(2)).is_err(),
        "gone at once"
    );
}
