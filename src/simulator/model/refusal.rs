//! How the platform says no: a number to act on and words to read (doc/90313).

/// An answer with an `errcode` other than 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{errcode}: {errmsg}")]
pub(crate) struct Refusal {
    pub(crate) errcode: i64,
    pub(crate) errmsg: String,
}

impl Refusal {
    pub(crate) fn new(errcode: i64, errmsg: impl Into<String>) -> Self {
        let errmsg = errmsg.into();
        Self { errcode, errmsg }
    }
}

/// Refuses.
pub(crate) fn refuse<T>(errcode: i64, errmsg: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(errcode, errmsg))
}

/// Something that nobody could do on a real phone, or a request to the control addresses that says too little.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Impossible(pub(crate) String);

/// For what no phone offers.
pub(crate) fn impossible<T>(why: impl Into<String>) -> Result<T, Impossible> {
    Err(Impossible(why.into()))
}

#[cfg(test)]
pub(in crate::simulator) mod tests {
    use super::Refusal;

    /// The number of a refusal; 0 when nothing was refused.
    pub(in crate::simulator) fn errcode<T>(result: Result<T, Refusal>) -> i64 {
        result.err().map_or(0, |refusal| refusal.errcode)
    }
}
