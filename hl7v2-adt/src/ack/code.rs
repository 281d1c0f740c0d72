/// HL7 table 0008: what an acknowledgement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AckCode {
    /// Application accept: done, or safe and certain to be done.
    Aa,
    /// Application error: something went wrong.
    Ae,
    /// Application reject: it can't be processed, whatever it holds.
    Ar,
    /// Commit accept: safe here, needs not be sent again.
    Ca,
    /// Commit error: not accepted.
    Ce,
    /// Commit reject: its type, version or processing id isn't accepted here.
    Cr,
}

impl AckCode {
    /// As in MSA-1.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Aa => "AA",
            Self::Ae => "AE",
            Self::Ar => "AR",
            Self::Ca => "CA",
            Self::Ce => "CE",
            Self::Cr => "CR",
        }
    }

    /// Whether the sender need not send the message again.
    #[must_use]
    pub fn is_positive(self) -> bool {
        matches!(self, Self::Aa | Self::Ca)
    }
}

/// HL7 table 0357: why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// 100: segments are missing or out of order.
    SegmentSequence,
    /// 101: a field that has to be there is empty.
    RequiredFieldMissing,
    /// 102: a value is not of its data type.
    DataType,
    /// 103: a code that is not in its table.
    TableValueNotFound,
    /// 200: this type of message (MSH-9.1) isn't taken here.
    UnsupportedMessageType,
    /// 201: this trigger event (MSH-9.2) isn't taken here.
    UnsupportedEventCode,
    /// 202: this processing id (MSH-11) isn't taken here.
    UnsupportedProcessingId,
    /// 203: this version (MSH-12) isn't taken here.
    UnsupportedVersion,
    /// 204: an identifier that nobody has.
    UnknownKey,
    /// 205: an identifier that is there already, or the same one twice.
    DuplicateKey,
    /// 206: temporary.
    RecordLocked,
    /// 207: a fault of the receiver.
    ApplicationInternalError,
}

impl ErrorCode {
    /// As in ERR-3.1.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.entry().0
    }

    /// The text of the table, as in ERR-3.2.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.entry().1
    }

    fn entry(self) -> (&'static str, &'static str) {
        match self {
            Self::SegmentSequence => ("100", "Segment sequence error"),
            Self::RequiredFieldMissing => ("101", "Required field missing"),
            Self::DataType => ("102", "Data type error"),
            Self::TableValueNotFound => ("103", "Table value not found"),
            Self::UnsupportedMessageType => ("200", "Unsupported message type"),
            Self::UnsupportedEventCode => ("201", "Unsupported event code"),
            Self::UnsupportedProcessingId => ("202", "Unsupported processing id"),
            Self::UnsupportedVersion => ("203", "Unsupported version id"),
            Self::UnknownKey => ("204", "Unknown key identifier"),
            Self::DuplicateKey => ("205", "Duplicate key identifier"),
            Self::RecordLocked => ("206", "Application record locked"),
            Self::ApplicationInternalError => ("207", "Application internal error"),
        }
    }
}
