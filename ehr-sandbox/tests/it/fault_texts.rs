//! Faults as text.

use ehr_sandbox::{Fault, FaultPlan, Hits, What, Where};

#[test]
fn texts_are_faults_and_back() {
    let good = [
        "file:1:cut=1000",
        "file/Patient:first-3:cut=0,chunked",
        "file/2:every:short=1",
        "status:1:status=503",
        "kick-off:2:status=429,body=outcome/throttled,retry-after=Fri, 31 Dec 1999 23:59:59 GMT",
        "token:1:status=502,body=html",
        "manifest:every:count=-3",
        "search:1:retry-after=a:b,c=d",
        "read:1:content-type=text/html; charset=utf-8",
        "delete:1:drop",
        "discovery:1:html",
        "metadata:1:delay=250",
        "status:every:expired=410",
        "write:1:after=drop",
        "write:first-2:after=status=504,body=html,retry-after=1",
        "kick-off:1:after=delay=20",
    ];
    for text in good {
        let fault: Fault = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(fault.to_string(), text);
        assert_eq!(fault.to_string().parse::<Fault>().expect("a fault"), fault);
    }
    let bad = [
        ("", "PLACE:HITS:WHAT"),
        ("file:1", "PLACE:HITS:WHAT"),
        ("files:1:drop", "its place is none of"),
        ("file/0:1:drop", "counted from 1"),
        ("file/:1:drop", "a number or a type"),
        ("file:0:drop", "its hits"),
        ("file:first-:drop", "its hits"),
        ("file:some:drop", "its hits"),
        ("file:1:explode", "nothing of this name"),
        ("file:1:explode=1", "nothing of this name"),
        ("file:1:drop=1", "nothing of this name"),
        ("file:1:cut", "nothing of this name"),
        ("file:1:cut=-1", "`cut` wants a number"),
        ("file:1:status=99", "200 to 599"),
        ("file:1:status=500,body=json", "`body` wants"),
        ("file:1:expired=500", "404 or 410"),
        ("token:1:short=1", "can't happen"),
        ("file:1:stuck", "can't happen"),
        ("read:1:count=+1", "can't happen"),
        ("discovery:1:expire-token", "can't happen"),
        ("read:1:after=drop", "can't happen"),
        ("write:1:after=cut=1", "can't happen"),
        ("write:1:after=after=drop", "can't happen"),
        ("write:1:after=explode", "nothing of this name"),
    ];
    for (text, expected) in bad {
        let error = text.parse::<Fault>().expect_err(text).to_string();
        assert!(
            error.contains(expected) && error.contains(text),
            "{text}: {error}"
        );
    }
    assert!(Fault::new(Where::Read, Hits::Every, What::Stuck).is_err());
    assert!(FaultPlan::of(["file:1:drop", "nonsense"]).is_err());
}
