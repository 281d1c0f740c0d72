/// How searches are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SearchSettings {
    /// `_id` may have several values. Otherwise status 400. Default: true.
    pub id_lists: bool,
    /// `_lastUpdated` is known. Otherwise it is passed over like any unknown
    /// parameter, and missing in the `self` link. Default: true.
    pub last_updated: bool,
    /// What searches by `identifier` find.
    pub identifier: IdentifierSearch,
}

/// What searches by `identifier` find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentifierSearch {
    /// Who has it.
    #[default]
    Right,
    /// Nobody, ever.
    Nobody,
    /// Besides who has it one more, where there is one more of that type.
    Twice,
    /// All there are: the parameter is passed over, and missing in the `self`
    /// link. Real servers do that when their index is not set up.
    Everybody,
}

impl Default for SearchSettings {
    fn default() -> Self {
        Self {
            id_lists: true,
            last_updated: true,
            identifier: IdentifierSearch::default(),
        }
    }
}
