use super::Input;

/// Gives the files of a load, one after the other.
pub trait Source: Send {
    /// The next file, waited for where it isn't there yet; `None` at the end,
    /// and when the load was asked to stop.
    fn next(&mut self) -> Option<Supply>;

    /// Whether the next file can be had and opened at once.
    fn is_at_hand(&self) -> bool {
        false
    }

    /// How many files there will be, and their size in bytes as they are
    /// stored, 0 where that isn't known.
    fn extent(&self) -> (usize, u64);
}

/// What a [`Source`] gives.
#[derive(Debug)]
pub enum Supply {
    /// A file to load.
    File(Input),
    /// A file that can't be had, or not as it should be: the run will be
    /// partial.
    Missing {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
}

/// Files that are all there.
pub(crate) struct Files<'a> {
    inputs: &'a [Input],
    next: usize,
}

impl<'a> Files<'a> {
    pub(crate) const fn new(inputs: &'a [Input]) -> Self {
        Self { inputs, next: 0 }
    }
}

/// Inputs that are all there, and belong to nobody else.
#[cfg(feature = "adt")]
pub(crate) struct Given {
    inputs: std::vec::IntoIter<Input>,
    extent: (usize, u64),
}

#[cfg(feature = "adt")]
impl Given {
    pub(crate) fn new(inputs: Vec<Input>) -> Self {
        Self {
            extent: Files::new(&inputs).extent(),
            inputs: inputs.into_iter(),
        }
    }
}

#[cfg(feature = "adt")]
impl Source for Given {
    fn next(&mut self) -> Option<Supply> {
        self.inputs.next().map(Supply::File)
    }

    fn extent(&self) -> (usize, u64) {
        self.extent
    }
}

impl Source for Files<'_> {
    fn next(&mut self) -> Option<Supply> {
        let input = self.inputs.get(self.next)?;
        self.next += 1;
        Some(Supply::File(input.clone()))
    }

    fn is_at_hand(&self) -> bool {
        let next = self.inputs.get(self.next);
        // What comes by a pipe may still be on its way.
        next.is_some_and(|input| !input.piped)
    }

    fn extent(&self) -> (usize, u64) {
        let bytes = self.inputs.iter().map(|input| input.size).sum();
        (self.inputs.len(), bytes)
    }
}
