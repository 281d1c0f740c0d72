//! Messages that something happened to.
//!
//! For a few seconds, or for as many as `ADT_FUZZ_SECONDS` says. The corpora
//! are those of `support`.

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use crate::support::{corpora, files};
use crate::walk::walk;

/// Longer ones only make it slow.
const MAX_LENGTH: usize = 8192;

#[test]
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a finding, and the count"
)]
fn no_mutation_of_a_message_does_harm() {
    let seconds = env::var("ADT_FUZZ_SECONDS").ok();
    let seconds = seconds.map_or(2, |text| {
        text.parse().expect("ADT_FUZZ_SECONDS is a number")
    });
    let mut corpus: Vec<_> = corpora().iter().flat_map(|corpus| files(corpus)).collect();
    corpus.retain(|(_, bytes)| bytes.len() <= MAX_LENGTH);
    let mut random = Random(env::var("ADT_FUZZ_SEED").map_or(0x5DEE_CE66, |text| {
        text.parse().expect("ADT_FUZZ_SEED is a number")
    }));
    let start = now();
    let mut slowest = Duration::ZERO;
    let mut count = 0_u64;
    while start.elapsed() < Duration::from_secs(seconds) {
        let seed = random.0;
        let bytes = mutated(&corpus, &mut random);
        let begin = now();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| walk(&bytes))) {
            // The content is invented: it is what is needed here.
            eprintln!(
                "ADT_FUZZ_SEED={seed} gives {:?}",
                String::from_utf8_lossy(&bytes)
            );
            resume_unwind(panic);
        }
        slowest = slowest.max(least(&bytes, begin.elapsed()));
        count += 1;
    }
    println!("{count} messages in {seconds} s, the slowest took {slowest:?}");
    assert!(
        slowest < Duration::from_secs(2),
        "{slowest:?} for one message"
    );
}

/// What a message takes that took so long: others may have had the processor.
fn least(bytes: &[u8], mut took: Duration) -> Duration {
    for _ in 0..5 {
        if took < Duration::from_millis(100) {
            break;
        }
        let begin = now();
        walk(bytes);
        took = took.min(begin.elapsed());
    }
    took
}

#[expect(clippy::disallowed_methods, reason = "the test is for a time")]
fn now() -> Instant {
    Instant::now()
}

fn mutated(corpus: &[(String, Vec<u8>)], random: &mut Random) -> Vec<u8> {
    const TOKENS: &[&[u8]] = &[
        b"|",
        b"^",
        b"~",
        b"\\",
        b"&",
        b"#",
        b"\r",
        b"\n",
        b"\r\n",
        b"\x0b",
        b"\x1c",
        b"\x1c\r",
        b"\0",
        b"\"\"",
        b"MSH|^~\\&|",
        b"\rMSH|^~\\&#|",
        b"\rPID|",
        b"\rMRG|",
        b"\rPV1|",
        b"\rBTS|2\r",
        b"\rFHS|",
        b"\\F\\",
        b"\\X0D\\",
        b"\\.br\\",
        b"\xEF\xBB\xBF",
        b"\xFF",
        b"\x81",
        b"\x1b$B",
        b"\x1b(B",
        "é".as_bytes(),
        "日".as_bytes(),
        b"||||||||||||||||",
        b"||||||GB 18030-2000",
        b"||||||~ISO IR87",
        b"20240230",
        b"99999999999999999999",
    ];
    let mut bytes = random.choose(corpus).1.clone();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        let until = (at + random.below(60)).min(bytes.len());
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..until)),
            2 => {
                let again = bytes[at..until].to_vec();
                bytes.splice(at..at, again.repeat(1 + random.below(4)));
            }
            3 => {
                let other = &random.choose(corpus).1;
                let from = random.below(other.len() + 1);
                bytes.splice(at..until, other[from..].iter().copied());
            }
            4 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            5 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            _ => {
                let token = *random.choose(TOKENS);
                bytes.splice(at..at, token.iter().copied());
            }
        }
        bytes.truncate(2 * MAX_LENGTH);
    }
    bytes
}

/// xorshift64*: the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(mixed).unwrap_or_default() % limit.max(1)
    }

    fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
