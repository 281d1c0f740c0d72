//! Medical record numbers among identifiers.

use fhir_json::Value;

/// Whether one of a Patient's identifiers is a medical record number and
/// equals `id`.
pub(crate) fn is_mrn(identifier: Value<'_>, id: &str, mrn_system: Option<&str>) -> bool {
    identifier.elements_or_self().any(|identifier| {
        identifier
            .get("value")
            .is_some_and(|value| value.is_str(id))
            && (mrn_system.is_some_and(|mrn_system| {
                identifier
                    .get("system")
                    .is_some_and(|system| system.is_str(mrn_system))
            }) || has_type_mr(identifier))
    })
}

/// HL7 table 0203 by its names; a coding without system is taken at its word.
const IDENTIFIER_TYPES: [&str; 3] = [
    "http://terminology.hl7.org/CodeSystem/v2-0203",
    "http://hl7.org/fhir/v2/0203",
    "urn:oid:2.16.840.1.113883.18.108",
];

fn has_type_mr(identifier: Value<'_>) -> bool {
    let coding = identifier
        .get("type")
        .and_then(|concept| concept.get("coding"));
    coding
        .iter()
        .flat_map(|coding| coding.elements_or_self())
        .any(|coding| {
            coding.get("code").is_some_and(|code| code.is_str("MR"))
                && coding
                    .get("system")
                    .is_none_or(|system| IDENTIFIER_TYPES.iter().any(|known| system.is_str(known)))
        })
}
