//! The canonical form of a JSON text and its SHA-256: the same for every way
//! to write the same tree, and different where a digit is.
#![expect(clippy::print_stdout, reason = "that is what examples do")]

use fhir_json::{DigestSink, Edits, Emitter, Error, Tape};
use sha2::{Digest, Sha256};

fn main() -> Result<(), Error> {
    let mut tape = Tape::new();
    let mut emitter = Emitter::new();
    for text in [
        r#"{"value": 1.00, "unit": "mg"}"#,
        r#"{"unit":"\u006dg","value":1.00}"#,
        r#"{"unit":"mg","value":1.0}"#,
    ] {
        let root = tape.parse(text.as_bytes())?.root();
        let mut canonical = Vec::new();
        emitter.canonical(root, &Edits::new(), &mut canonical);

        // Straight into the digest, without the text in between.
        let mut digest = Sha256::new();
        let mut sink = DigestSink::new(&mut digest);
        emitter.canonical(root, &Edits::new(), &mut sink);
        sink.finish();
        let hash = digest.finalize();
        assert_eq!(hash, Sha256::digest(&canonical));

        let head: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        println!("{head}  {}", String::from_utf8_lossy(&canonical));
    }
    Ok(())
}
