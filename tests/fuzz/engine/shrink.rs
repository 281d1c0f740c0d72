use super::guard::{Fault, Guard};

/// How often a shorter input is tried. One that is slow takes its time.
const TRIES: usize = 3000;
const SLOW_TRIES: usize = 30;

/// A shorter input with the same fault: pieces are left out, large ones first,
/// then bytes become spaces.
pub(crate) fn shrunk(guard: &mut Guard, bytes: &[u8], fault: &Fault) -> Vec<u8> {
    let mut tries = match fault {
        Fault::Panic { .. } => TRIES,
        Fault::Slow { .. } => SLOW_TRIES,
        // The peak of the process never comes down.
        Fault::Memory { .. } => 0,
    };
    let mut is_same = |bytes: &[u8]| {
        tries = tries.checked_sub(1)?;
        let (_, found) = guard.run(bytes);
        Some(found.is_some_and(|found| found.is_like(fault)))
    };
    let mut best = bytes.to_vec();
    let mut size = best.len().div_ceil(2);
    while size > 0 {
        let before = best.len();
        let mut at = 0;
        while at < best.len() {
            let mut shorter = best.clone();
            shorter.drain(at..(at + size).min(best.len()));
            match is_same(&shorter) {
                Some(true) => best = shorter,
                Some(false) => at += size,
                None => return best,
            }
        }
        if size > 1 || best.len() == before {
            size /= 2;
        }
    }
    for at in 0..best.len() {
        let kept = std::mem::replace(&mut best[at], b' ');
        match is_same(&best) {
            Some(true) => {}
            Some(false) => best[at] = kept,
            None => {
                best[at] = kept;
                break;
            }
        }
    }
    best
}
