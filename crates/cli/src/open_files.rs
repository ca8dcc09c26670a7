//! Room for connections: as many open files as the system lets this process have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one. Systems give 1024 to start with, for the sake of programs that
/// use `select`; a listener under a flood of half-open connections (threat A11) needs more than it has flooders.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current < maximum || maximum.is_none() {
        // Not granted: then it stays as it is, which is enough for all but a crowd.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}
