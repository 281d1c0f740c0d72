use fhir_bulk::{Error, ExportRequest, Instant, KickOffMethod, ListSyntax};

const BASE: &str = "https://ehr.example/fhir/";

fn full(mut request: ExportRequest) -> ExportRequest {
    request.types = vec!["Patient".into(), "Condition".into()];
    request.since = Some(Instant::new("2026-01-31T08:00:00.123+01:00").unwrap());
    request.elements = vec!["id".into(), "Patient.name".into()];
    request.type_filters = vec!["Condition?category=a,b&x=é".into(), "Patient?_id=1".into()];
    request.include_associated_data = vec!["LatestProvenanceResources".into()];
    request.organize_output_by = Some("Patient".into());
    request.allow_partial_manifests = true;
    request.output_format = Some("application/fhir+ndjson".into());
    request
}

#[test]
fn queries() {
    let mut request = full(ExportRequest::group("All_Patients/x"));
    let http = request.to_http(BASE).unwrap();
    assert_eq!(http.method(), "GET");
    assert_eq!(http.headers()["accept"], "application/fhir+json");
    assert_eq!(http.headers()["prefer"], "respond-async");
    assert_eq!(
        http.uri().to_string(),
        "https://ehr.example/fhir/Group/All_Patients%2Fx/$export\
         ?_outputFormat=application%2Ffhir%2Bndjson&_since=2026-01-31T08%3A00%3A00.123%2B01%3A00\
         &_type=Patient,Condition&_elements=id,Patient.name\
         &includeAssociatedData=LatestProvenanceResources\
         &_typeFilter=Condition%3Fcategory%3Da%252Cb%26x%3D%C3%A9,Patient%3F_id%3D1\
         &organizeOutputBy=Patient&allowPartialManifests=true"
    );
    request.list_syntax = ListSyntax::Repeated;
    let uri = request.to_http(BASE).unwrap().uri().to_string();
    assert!(uri.contains("&_type=Patient&_type=Condition&"), "{uri}");

    for (request, path) in [
        (ExportRequest::system(), "/fhir/$export"),
        (ExportRequest::patient(), "/fhir/Patient/$export"),
    ] {
        assert_eq!(
            request
                .to_http("https://ehr.example/fhir")
                .unwrap()
                .uri()
                .path(),
            path
        );
    }
}

#[test]
fn parameters_repeat_their_values() {
    let mut request = full(ExportRequest::patient());
    request.method = KickOffMethod::Post;
    request.patients = vec!["Patient/1".into(), "Patient/2".into()];
    request.lenient = true;
    request.separate_status = true;
    let http = request.to_http(BASE).unwrap();
    assert_eq!(http.uri(), "https://ehr.example/fhir/Patient/$export");
    assert_eq!(http.headers()["content-type"], "application/fhir+json");
    assert_eq!(
        http.headers()["prefer"],
        "respond-async, handling=lenient, separate-export-status"
    );
    let body: serde_json::Value = serde_json::from_slice(http.body()).unwrap();
    assert_eq!(
        body,
        serde_json::json!({"resourceType": "Parameters", "parameter": [
            {"name": "_outputFormat", "valueString": "application/fhir+ndjson"},
            {"name": "_since", "valueInstant": "2026-01-31T08:00:00.123+01:00"},
            {"name": "_type", "valueString": "Patient"},
            {"name": "_type", "valueString": "Condition"},
            {"name": "_elements", "valueString": "id"},
            {"name": "_elements", "valueString": "Patient.name"},
            {"name": "patient", "valueReference": {"reference": "Patient/1"}},
            {"name": "patient", "valueReference": {"reference": "Patient/2"}},
            {"name": "includeAssociatedData", "valueCode": "LatestProvenanceResources"},
            {"name": "_typeFilter", "valueString": "Condition?category=a,b&x=é"},
            {"name": "_typeFilter", "valueString": "Patient?_id=1"},
            {"name": "organizeOutputBy", "valueCode": "Patient"},
            {"name": "allowPartialManifests", "valueBoolean": true},
        ]})
    );
}

#[test]
fn invalid_requests() {
    let edit = |edit: fn(&mut ExportRequest)| {
        let mut request = ExportRequest::system();
        edit(&mut request);
        request.to_http(BASE)
    };
    let cases = [
        edit(|request| {
            request.method = KickOffMethod::Post;
            request.patients = vec!["Patient/1".into()];
        }),
        edit(|request| {
            *request = ExportRequest::patient();
            request.patients = vec!["Patient/1".into()];
        }),
        edit(|request| *request = ExportRequest::group("")),
        edit(|request| request.types = vec!["Patient".into(), " ".into()]),
        edit(|request| request.types = vec!["Patient,Condition".into()]),
    ];
    for (index, case) in cases.into_iter().enumerate() {
        assert!(matches!(case, Err(Error::Request(_))), "case {index}");
    }
    for base in [
        "/fhir",
        "http://ehr.example/fhir",
        "ftp://ehr.example",
        "https://me:pw@ehr.example",
    ] {
        assert!(
            matches!(
                ExportRequest::system().to_http(base),
                Err(Error::Url { .. })
            ),
            "{base}"
        );
    }
}

#[test]
fn instants() {
    for good in [
        "2026-01-31T08:00:00Z",
        "2026-01-31T08:00:00.1Z",
        "2026-01-31T08:00:00.123456789012+14:00",
        "2026-12-31T23:59:60Z",
        "0001-01-01T00:00:00-12:00",
    ] {
        let instant = Instant::new(good).unwrap_or_else(|error| panic!("{good}: {error}"));
        assert_eq!(instant.to_string(), good);
        let json = serde_json::to_string(&instant).unwrap();
        assert_eq!(serde_json::from_str::<Instant>(&json).unwrap(), instant);
    }
    for bad in [
        "",
        "2026",
        "2026-01-31",
        "2026-01-31T08:00Z",
        "2026-01-31T08:00:00",
        "2026-02-30T08:00:00Z",
        "2026-01-31T25:00:00Z",
        "2026-01-31T08:00:00.Z",
        "2026-01-31T08:00:00+0100",
        "2026-01-31 08:00:00Z",
        "2026-01-31T08:00:00Z ",
        "é026-01-31T08:00:00Z",
        "2026-01-31T08:00:0éZ",
    ] {
        assert!(matches!(Instant::new(bad), Err(Error::Instant(_))), "{bad}");
        assert!(
            serde_json::from_value::<Instant>(bad.into()).is_err(),
            "{bad}"
        );
    }
}

#[test]
fn requests_can_be_kept_and_do_not_leak() {
    let mut request = full(ExportRequest::group("secret-group"));
    request.patients = vec!["Patient/secret-patient".into()];
    let json = serde_json::to_string(&request).unwrap();
    assert!(serde_json::from_str::<ExportRequest>(&json).unwrap() == request);
    assert!(!format!("{request:?}").contains("secret"));
}
