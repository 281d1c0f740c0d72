//! The published vectors.

use fhir_normalize::{IdKey, IdMode, Normalizer, Settings};

#[derive(serde::Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    source_system: String,
    id_mode: String,
    id_key: Option<String>,
    base: Option<String>,
    input: String,
    #[serde(rename = "type")]
    resource_type: String,
    id: String,
    content_hash: String,
    canonical: String,
    remediations: usize,
}

#[test]
fn published_vectors() {
    let vectors: Vectors =
        serde_json::from_str(include_str!("../vectors/normalize.json")).expect("vectors");
    assert!(vectors.cases.len() >= 31);
    for case in vectors.cases {
        let mut settings = Settings::new(&case.source_system);
        settings.id_mode = match case.id_mode.as_str() {
            "hash" => IdMode::Hash,
            _ => IdMode::Preserve,
        };
        settings.id_key = case.id_key.as_deref().map(unhex).map(IdKey::new);
        settings.bases = case.base.into_iter().collect();
        let mut normalizer = Normalizer::new(settings);
        let normalized = normalizer
            .normalize(case.input.as_bytes())
            .expect(&case.name);
        assert_eq!(
            normalized.resource_type, case.resource_type,
            "{}",
            case.name
        );
        assert_eq!(normalized.id, case.id, "{}", case.name);
        assert_eq!(
            normalized.remediations.len(),
            case.remediations,
            "{}",
            case.name
        );
        let hash: String = normalized
            .content_hash
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hash, case.content_hash, "{}", case.name);
        if !case.name.contains("narrative") {
            let canonical = String::from_utf8_lossy(normalized.canonical);
            assert_eq!(canonical, case.canonical, "{}", case.name);
        }
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}
