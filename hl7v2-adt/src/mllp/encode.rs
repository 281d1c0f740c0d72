use memchr::{memchr, memmem};

use super::{CR, FS, VT};

/// A message in its frame: `<VT> message <FS><CR>`.
///
/// `None` when the message holds a VT, or an FS directly before a CR: those
/// would begin or end a frame at the receiver. A field that is echoed from a
/// message of somebody else can be the cause.
#[must_use]
pub fn encode(message: &[u8]) -> Option<Vec<u8>> {
    if memchr(VT, message).is_some() || memmem::find(message, &[FS, CR]).is_some() {
        return None;
    }
    let mut frame = Vec::with_capacity(message.len() + 3);
    frame.push(VT);
    frame.extend_from_slice(message);
    frame.extend_from_slice(&[FS, CR]);
    Some(frame)
}
