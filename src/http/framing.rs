//! What a request must look like before anybody reads what it asks for.

use http::header::HOST;
use http::{Method, Request, Version};
use hyper::body::Body;

/// Whether it is neither GET nor HEAD.
pub(super) fn is_other_method<B>(request: &Request<B>) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD)
}

/// Exactly one host, and no body: a GET that brings one is the stuff that requests are smuggled in. hyper itself lets
/// all of these pass.
pub(super) fn is_well_framed<B: Body>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let hosts = headers.get_all(HOST).iter().count();
    let one_host = match request.version() {
        Version::HTTP_09 => false,
        Version::HTTP_10 => hosts <= 1,
        Version::HTTP_11 => hosts == 1,
        // In HTTP/2 the authority is in the target; Host may repeat it.
        _ => hosts <= 1 && (hosts == 1 || request.uri().authority().is_some()),
    };
    let same_authority = match (request.uri().authority(), headers.get(HOST)) {
        (Some(authority), Some(host)) => authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()),
        _ => true,
    };
    let clear_host = headers.get(HOST).is_none_or(|host| is_host(host.as_bytes()));
    one_host && same_authority && clear_host && (is_other_method(request) || request.body().is_end_stream())
}

/// What RFC 9112 §3.2 lets Host be: a name or an address, and a port. A user's name or a path in it is read by some as
/// the host, and by some not.
fn is_host(host: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte);
    !host.is_empty() && host.iter().all(allowed)
}
