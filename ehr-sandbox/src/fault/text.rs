use std::fmt;
use std::str::FromStr;

use super::{ErrorBody, Fault, Files, Hits, What, Where};
use crate::Error;

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fail = |problem: String| Error::Fault {
            text: text.to_owned(),
            problem,
        };
        let mut parts = text.splitn(3, ':');
        let (Some(at), Some(on), Some(what)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(fail("it has to be PLACE:HITS:WHAT".into()));
        };
        Self::new(
            place(at).map_err(fail)?,
            hits(on).map_err(fail)?,
            what_of(what).map_err(fail)?,
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.at, self.on, self.what)
    }
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discovery => "discovery",
            Self::Token => "token",
            Self::KickOff => "kick-off",
            Self::Status => "status",
            Self::Manifest => "manifest",
            Self::File(Files::Any) => "file",
            Self::File(Files::Number(number)) => return write!(f, "file/{number}"),
            Self::File(Files::Type(name)) => return write!(f, "file/{name}"),
            Self::Delete => "delete",
            Self::Read => "read",
            Self::Search => "search",
            Self::Metadata => "metadata",
            Self::Write => "write",
        })
    }
}

impl fmt::Display for Hits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nth(number) => write!(f, "{number}"),
            Self::First(number) => write!(f, "first-{number}"),
            Self::Every => f.write_str("every"),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status {
                code,
                body,
                retry_after,
            } => {
                write!(f, "status={code}")?;
                match body {
                    ErrorBody::Empty => {}
                    ErrorBody::Html => f.write_str(",body=html")?,
                    ErrorBody::Outcome(code) => write!(f, ",body=outcome/{code}")?,
                }
                retry_after
                    .iter()
                    .try_for_each(|text| write!(f, ",retry-after={text}"))
            }
            Self::Delay(milliseconds) => write!(f, "delay={milliseconds}"),
            Self::Cut {
                after,
                chunked: false,
            } => write!(f, "cut={after}"),
            Self::Cut {
                after,
                chunked: true,
            } => write!(f, "cut={after},chunked"),
            Self::Short(lines) => write!(f, "short={lines}"),
            Self::Count(difference) => write!(f, "count={difference:+}"),
            Self::ContentType(text) => write!(f, "content-type={text}"),
            Self::RetryAfter(text) => write!(f, "retry-after={text}"),
            Self::GzipCut(after) => write!(f, "gzip-cut={after}"),
            Self::Expired(code) => write!(f, "expired={code}"),
            Self::After(what) => write!(f, "after={what}"),
            plain => f.write_str(name_of(plain)),
        }
    }
}

/// Those without an argument.
const PLAIN: [(&str, What); 14] = [
    ("html", What::Html),
    ("wrong-type", What::WrongType),
    ("expire-token", What::ExpireToken),
    ("redirect", What::Redirect),
    ("relative-urls", What::RelativeUrls),
    ("drop", What::Drop),
    ("no-range", What::NoRange),
    ("changed-etag", What::ChangedEtag),
    ("no-error-key", What::NoErrorKey),
    ("next-link", What::NextLink),
    ("transient", What::Transient),
    ("stuck", What::Stuck),
    ("duplicate-url", What::DuplicateUrl),
    ("outcome-errors", What::OutcomeErrors),
];

fn name_of(what: &What) -> &'static str {
    PLAIN
        .iter()
        .find(|(_, plain)| plain == what)
        .map_or("", |(name, _)| name)
}

fn place(text: &str) -> Result<Where, String> {
    if let Some(files) = text.strip_prefix("file/") {
        return Ok(Where::File(match files.parse() {
            Ok(0) => return Err("files are counted from 1".into()),
            Ok(number) => Files::Number(number),
            Err(_) if files.is_empty() => return Err("`file/` wants a number or a type".into()),
            Err(_) => Files::Type(files.to_owned()),
        }));
    }
    Ok(match text {
        "discovery" => Where::Discovery,
        "token" => Where::Token,
        "kick-off" => Where::KickOff,
        "status" => Where::Status,
        "manifest" => Where::Manifest,
        "file" => Where::File(Files::Any),
        "delete" => Where::Delete,
        "read" => Where::Read,
        "search" => Where::Search,
        "metadata" => Where::Metadata,
        "write" => Where::Write,
        _ => {
            return Err(
                "its place is none of discovery, token, kick-off, status, manifest, file, \
                        file/NUMBER, file/TYPE, delete, read, search, metadata, write"
                    .into(),
            );
        }
    })
}

fn hits(text: &str) -> Result<Hits, String> {
    const PROBLEM: &str = "its hits are none of NUMBER (from 1), first-NUMBER, every";
    let number = |text: &str| match text.parse() {
        Ok(0) | Err(_) => Err(PROBLEM.to_owned()),
        Ok(number) => Ok(number),
    };
    match (text, text.strip_prefix("first-")) {
        ("every", _) => Ok(Hits::Every),
        (_, Some(last)) => number(last).map(Hits::First),
        (nth, None) => number(nth).map(Hits::Nth),
    }
}

fn what_of(text: &str) -> Result<What, String> {
    if let Some((_, what)) = PLAIN.iter().find(|(name, _)| *name == text) {
        return Ok(what.clone());
    }
    let (name, argument) = text
        .split_once('=')
        .ok_or("nothing of this name goes wrong here")?;
    Ok(match name {
        "status" => status(argument)?,
        "delay" => What::Delay(number(name, argument)?),
        "cut" => {
            let bytes = argument.strip_suffix(",chunked");
            let after = number(name, bytes.unwrap_or(argument))?;
            What::Cut {
                after,
                chunked: bytes.is_some(),
            }
        }
        "short" => What::Short(number(name, argument)?),
        "count" => What::Count(number(name, argument)?),
        "content-type" => What::ContentType(argument.to_owned()),
        "retry-after" => What::RetryAfter(argument.to_owned()),
        "after" => What::After(Box::new(what_of(argument)?)),
        "gzip-cut" => What::GzipCut(number(name, argument)?),
        "expired" => match number(name, argument)? {
            code @ (404 | 410) => What::Expired(code),
            _ => return Err("`expired` wants 404 or 410".into()),
        },
        _ => return Err("nothing of this name goes wrong here".into()),
    })
}

/// `CODE[,body=html|outcome/ISSUE][,retry-after=TEXT]`; the text goes to the
/// end, for dates have commas.
fn status(argument: &str) -> Result<What, String> {
    let (rest, retry_after) = match argument.split_once(",retry-after=") {
        Some((rest, text)) => (rest, Some(text.to_owned())),
        None => (argument, None),
    };
    let (code, body) = match rest.split_once(",body=") {
        Some((code, "html")) => (code, ErrorBody::Html),
        Some((code, body)) => {
            let issue = body
                .strip_prefix("outcome/")
                .ok_or("`body` wants html or outcome/ISSUE")?;
            (code, ErrorBody::Outcome(issue.to_owned()))
        }
        None => (rest, ErrorBody::Empty),
    };
    match number("status", code)? {
        code @ 200..600 => Ok(What::Status {
            code,
            body,
            retry_after,
        }),
        _ => Err("`status` wants a number from 200 to 599".into()),
    }
}

fn number<T: FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{name}` wants a number"))
}
