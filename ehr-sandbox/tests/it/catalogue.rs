//! The catalogue of faults.

use std::collections::BTreeSet;

use ehr_sandbox::FaultPlan;

use crate::faults::Scene;
use crate::util::{ASYNC, try_send};

#[test]
fn every_plan_of_the_catalogue_changes_something() {
    let mut names = BTreeSet::new();
    for (name, plan) in FaultPlan::catalogue() {
        assert!(names.insert(name), "{name} is there twice");
        assert!(!plan.faults().is_empty(), "{name}");
        let scene = Scene::new();
        let before = tour(&scene);
        scene.sandbox.set_faults(plan);
        let after = tour(&scene);
        let slept = !scene.clock.slept().is_empty();
        assert!(before != after || slept, "{name} changes nothing");
    }
}

/// What one sees on a way past all places, twice.
fn tour(scene: &Scene) -> Vec<String> {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let token = scene.sandbox.token_url();
        let delete = scene.status_url.clone() + "-none";
        for (method, url, headers) in [
            ("GET", "/.well-known/smart-configuration", &[][..]),
            ("POST", &token, &[]),
            ("GET", "/metadata", &[]),
            ("GET", "/$export?_type=Patient", &[]),
            ("GET", &scene.status_url, &[]),
            ("GET", &scene.file_url, &[("accept-encoding", "gzip")]),
            ("GET", &scene.file_url, &[("accept-encoding", "identity")]),
            (
                "GET",
                &scene.file_url,
                &[("range", "bytes=9-"), ("accept-encoding", "identity")],
            ),
            ("GET", "/Patient/p1", &[]),
            ("GET", "/Observation", &[]),
            ("DELETE", &delete, &[]),
            ("DELETE", "/Basic/none", &[]),
        ] {
            let url = if url.starts_with('/') {
                scene.sandbox.base() + url
            } else {
                url.to_owned()
            };
            let bearer = ("authorization", &*scene.bearer);
            let headers: Vec<_> = headers.iter().copied().chain([ASYNC, bearer]).collect();
            let answer = try_send(&scene.sandbox.transport(), method, &url, &headers, "");
            seen.push(answer.map_or("lost".to_owned(), |answer| {
                // The ids of exports are random.
                let location = answer.header("content-location").starts_with('/');
                let mut parts = vec![answer.status.to_string(), location.to_string()];
                for name in [
                    "content-type",
                    "retry-after",
                    "location",
                    "etag",
                    "accept-ranges",
                ] {
                    parts.push(answer.header(name).to_owned());
                }
                parts.push(String::from_utf8_lossy(&answer.body).into_owned());
                parts.push(answer.broken.is_some().to_string());
                parts.join("|")
            }));
        }
    }
    seen
}
