//! The connection that logs in, after all that was to be learned of the target is.

/// What a connection that logs in is held to. The ordinary connection before it has learned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginOrder {
    /// The plain host key that the server has proved to hold, and has to show again before anything is sent.
    pub host_key: Vec<u8>,
    /// The authentication methods that it lists for the user.
    pub methods: Vec<String>,
    /// The signature algorithms that it takes from users (`server-sig-algs`, RFC 8308 section 3.1), if it has said.
    pub sig_algs: Option<Vec<String>>,
    /// Passwords and answers may be sent there.
    pub secrets: bool,
}
