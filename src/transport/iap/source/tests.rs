use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::*;
use crate::resolve::ResolverOptions;

const SECRET: &str = "ya29.planted-Secret_0123456789";

fn tokens(source: TokenSource) -> Tokens {
    Tokens::new(Clock::start(), source, Arc::new(Resolver::new(ResolverOptions::default())), None)
}

/// What a server was asked: the first line, the headers and the body, as one text.
type Asked = Arc<std::sync::Mutex<Vec<String>>>;

/// A server of HTTP on loopback that gives one answer to everything, as `answer` has it for the how-manieth request.
fn server(answer: impl Fn(usize) -> String + Send + 'static) -> (SocketAddr, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (addr, asked) = (listener.local_addr().expect("bound"), Asked::default());
    let keeper = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(&stream);
            let (mut text, mut length) = (String::new(), 0);
            while !text.ends_with("\r\n\r\n") {
                let from = text.len();
                if reader.read_line(&mut text).unwrap_or(0) == 0 {
                    break;
                }
                let line = text[from..].to_ascii_lowercase();
                length = line
                    .strip_prefix("content-length: ")
                    .map_or(length, |value| value.trim().parse().expect("a number"));
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            text.push_str(&String::from_utf8(body).expect("a form"));
            let count = {
                let mut asked = keeper.lock().expect("no panic");
                asked.push(text);
                asked.len()
            };
            let _ = (&stream).write_all(answer(count).as_bytes());
        }
    });
    (addr, asked)
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

fn grant(token: &str, lasts: u64) -> String {
    http("200 OK", "", &format!(r#"{{"access_token":"{token}","expires_in":{lasts},"token_type":"Bearer"}}"#))
}

fn user_file(endpoint: SocketAddr) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let text = format!(
        r#"{{"type":"authorized_user","client_id":"id","client_secret":"client-Secret","refresh_token":"1//refresh-Token","token_uri":"http://{endpoint}/token"}}"#
    );
    std::fs::write(file.path(), text).expect("written");
    file
}

#[tokio::test]
async fn a_file_is_read_and_its_lack_is_said_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("token");
    let tokens = tokens(TokenSource::File(path.clone()));
    assert!(matches!(tokens.token().await, Err(TokenError::Unreadable(_))));
    std::fs::write(&path, format!("{SECRET}\n")).expect("written");
    assert_eq!(tokens.token().await, Token::new(SECRET));
    // A token that is fresh is used although the file is gone.
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(tokens.token().await, Token::new(SECRET));
}

#[tokio::test]
async fn a_users_refresh_token_is_changed_for_a_token_by_one_request_for_all() {
    let (addr, asked) = server(|_| grant(SECRET, 3600));
    let file = user_file(addr);
    let tokens = Arc::new(tokens(TokenSource::Credentials(file.path().to_owned())));
    let all: Vec<_> = (0..50).map(|_| Arc::clone(&tokens)).collect();
    let all = all.into_iter().map(|tokens| tokio::spawn(async move { tokens.token().await }));
    for token in futures_util::future::join_all(all).await {
        assert_eq!(token.expect("no panic"), Token::new(SECRET));
    }
    let asked = asked.lock().expect("no panic").clone();
    assert_eq!(asked.len(), 1, "one at a time, and then it is there");
    let wanted = "grant_type=refresh_token&client_id=id&client_secret=client-Secret&refresh_token=1%2F%2Frefresh-Token";
    assert!(asked[0].starts_with("POST /token HTTP/1.1\r\n") && asked[0].ends_with(wanted), "{}", asked[0]);
}

#[tokio::test]
async fn a_token_that_ages_or_is_refused_is_asked_for_anew_and_used_on_where_there_is_no_other() {
    let (addr, asked) = server(|count| match count {
        1 => grant("first-token", 0),
        2 => grant("second-token", 3600),
        _ => http("503 Service Unavailable", "", ""),
    });
    let file = user_file(addr);
    let tokens = tokens(TokenSource::Credentials(file.path().to_owned()));
    let count = || asked.lock().expect("no panic").len();
    assert_eq!(tokens.token().await, Token::new("first-token"));
    // It had no time left.
    assert_eq!(tokens.token().await, Token::new("second-token"));
    assert_eq!((tokens.token().await, count()), (Token::new("second-token"), 2));
    // That another one was refused says nothing of this one.
    tokens.refused(&Token::new("first-token").expect("a token")).await;
    assert_eq!((tokens.token().await, count()), (Token::new("second-token"), 2));
    tokens.refused(&Token::new("second-token").expect("a token")).await;
    assert_eq!((tokens.token().await, count()), (Token::new("second-token"), 3));
    assert_eq!((tokens.token().await, count()), (Token::new("second-token"), 3), "not asked again at once");
}

#[tokio::test]
async fn a_service_accounts_statement_is_signed_by_its_key() {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let der: Result<Pkcs8V1Der<'_>, _> = key.as_der();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.expect("a structure").as_ref())
    );
    let (addr, asked) = server(|_| grant(SECRET, 3600));
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let json = serde_json::json!({
        "type": "service_account", "client_email": "a@b", "private_key": pem, "token_uri": format!("http://{addr}/token"),
    });
    std::fs::write(file.path(), json.to_string()).expect("written");
    assert_eq!(tokens(TokenSource::Credentials(file.path().to_owned())).token().await, Token::new(SECRET));
    let asked = asked.lock().expect("no panic")[0].clone();
    let (_, assertion) = asked.split_once("&assertion=").expect("an assertion");
    let (statement, signature) = assertion.rsplit_once('.').expect("a signature");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
    public.verify(statement.as_bytes(), &signature).expect("signed by the key");
    let claims = URL_SAFE_NO_PAD.decode(statement.split('.').nth(1).expect("claims")).expect("base64");
    let claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    assert!(claims["iat"].as_u64().is_some_and(|at| at.abs_diff(now) < 60), "{claims}");

    let broken = serde_json::json!({"type": "service_account", "client_email": "a@b", "private_key": "planted"});
    std::fs::write(file.path(), broken.to_string()).expect("written");
    let error = tokens(TokenSource::Credentials(file.path().to_owned())).token().await.expect_err("no key").to_string();
    assert!(error.contains("its private_key is no RSA key") && !error.contains("planted"), "{error}");
}

#[tokio::test]
async fn what_an_endpoint_says_instead_of_a_token_is_told_without_what_was_sent() {
    let said = r#"{"error":"invalid_grant","error_description":"1//refresh-Token of client-Secret is expired"}"#;
    let (addr, _) = server(|_| http("400 Bad Request", "", said));
    let file = user_file(addr);
    let tokens = tokens(TokenSource::Credentials(file.path().to_owned()));
    let error = tokens.token().await.expect_err("no token").to_string();
    assert!(
        error.ends_with("127.0.0.1 gave no access token: HTTP 400, \"invalid_grant: [the refresh token] of [the client secret] is expired\""),
        "{error}"
    );
    // Nobody there.
    let file = user_file(SocketAddr::from(([127, 0, 0, 1], 1)));
    let error =
        super::tests::tokens(TokenSource::Credentials(file.path().to_owned())).token().await.expect_err("no token");
    assert!(error.to_string().contains("127.0.0.1:1: Connection refused"), "{error}");
}

#[tokio::test]
async fn the_metadata_server_is_asked_as_it_wants_and_nobody_else_is_taken_for_it() {
    let machine = |addr: SocketAddr| TokenSource::Machine {
        well_known: None,
        metadata: MetadataServer::parse(&addr.to_string()),
    };
    let answer = format!(r#"{{"access_token":"{SECRET}.....","expires_in":3000,"token_type":"Bearer"}}"#);
    let (addr, asked) = server(move |_| http("200 OK", "Metadata-Flavor: Google\r\n", &answer));
    assert_eq!(tokens(machine(addr)).of_metadata_only().await, Token::new(&format!("{SECRET}.....")));
    let asked = asked.lock().expect("no panic")[0].to_ascii_lowercase();
    assert!(asked.starts_with("get /computemetadata/v1/instance/service-accounts/default/token?scopes=https://www.googleapis.com/auth/cloud-platform http/1.1\r\n"), "{asked}");
    assert!(asked.contains("\r\nmetadata-flavor: google\r\n"), "{asked}");
    let (addr, _) = server(|_| grant(SECRET, 3600));
    let error = tokens(machine(addr)).of_metadata_only().await.expect_err("no token").to_string();
    assert!(error.contains("what answers there is none") && !error.contains("planted"), "{error}");
}

impl Tokens {
    /// As on a machine without gcloud, whatever this one has.
    async fn of_metadata_only(&self) -> Result<Token, TokenError> {
        let TokenSource::Machine { metadata, .. } = &self.source else { return Err(TokenError::Empty) };
        let of = |found: Found| found == Found::Metadata;
        self.of_machine(None, metadata.as_ref(), of).await.map(|(token, ..)| token)
    }
}

#[tokio::test]
async fn a_pipe_is_read_to_its_end_and_one_without_a_writer_is_not_waited_for_by_a_thread() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let written = AtomicUsize::new(0);
    let tokens = tokens(TokenSource::File(path.clone()));
    let write = async {
        let path = path.clone();
        // Waits, in its own thread, for a reader; in two pieces.
        tokio::task::spawn_blocking(move || {
            let mut pipe = std::fs::File::options().write(true).open(path).expect("a reader");
            pipe.write_all(&SECRET.as_bytes()[..9]).and_then(|()| pipe.write_all(&SECRET.as_bytes()[9..]))
        })
        .await
        .expect("no panic")
        .expect("read");
        written.store(1, Ordering::Relaxed);
    };
    let (token, ()) = tokio::join!(tokens.token(), write);
    assert_eq!((token, written.load(Ordering::Relaxed)), (Token::new(SECRET), 1));
    for (path, words) in [("/dev/zero", "neither a file nor a pipe"), ("/", "directory")] {
        let error =
            super::tests::tokens(TokenSource::File(path.into())).token().await.expect_err("no token").to_string();
        assert!(error.contains(words), "{path}: {error}");
    }
}

#[tokio::test]
async fn a_pipe_into_which_nobody_writes_is_given_up() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let error = contents(&path, 100, Duration::from_millis(50)).await.expect_err("nothing to read");
    assert_eq!(error.to_string(), "nothing more came out of this pipe within 0.05s");
}
