//! Which certificates are accepted.

use super::*;

const VERSION_1: &[u8] = include_bytes!("version-1.pem");
const RSA_1024: &[u8] = include_bytes!("rsa-1024.pem");

fn der(pem: &[u8]) -> CertificateDer<'static> {
    use rustls_pki_types::pem::PemObject as _;
    CertificateDer::from_pem_slice(pem).unwrap()
}

#[test]
fn a_self_signed_certificate_is_accepted_where_it_is_given_itself() {
    for is_ca in [true, false] {
        let made = self_signed(is_ca, |_| {});
        for name in ["localhost", "127.0.0.1", "::1"] {
            assert_eq!(by_name(&made.tls(), &made.server(), name), Ok(()), "{is_ca} {name}");
        }
    }
}

#[test]
fn a_given_certificate_must_have_the_name() {
    for is_ca in [true, false] {
        let made = self_signed(is_ca, |params| {
            params.subject_alt_names.truncate(2);
        });
        for (name, expected) in [
            (
                "elsewhere.example",
                "is not for elsewhere.example, but for localhost, 127.0.0.1; connect",
            ),
            ("127.0.0.2", "is not for 127.0.0.2, but for"),
            ("::1", "is not for ::1, but for"),
        ] {
            assert_words(by_name(&made.tls(), &made.server(), name), &[expected]);
        }
    }
}

#[test]
fn the_names_of_a_certificate_are_listed_within_bounds_and_without_control_characters() {
    let made = self_signed(true, |params| {
        let name = |n: usize| rcgen::SanType::DnsName(format!("a{n}\u{1b}").try_into().unwrap());
        params.subject_alt_names = (0..100).map(name).collect();
    });
    let words = localhost(&made.tls(), &made.server()).unwrap_err();
    assert!(words.contains("a7\\u{1b}, 92 more; connect by"), "{words}");

    let nameless = self_signed(true, |params| params.subject_alt_names.clear());
    let expected = "is not for localhost, it has no names (subjectAltName); connect by";
    assert_words(localhost(&nameless.tls(), &nameless.server()), &[expected]);
}

#[test]
fn a_given_certificate_must_be_valid_now() {
    for is_ca in [true, false] {
        let expired = self_signed(is_ca, |params| {
            params.not_before = date_time_ymd(2001, 2, 3);
            params.not_after = date_time_ymd(2004, 5, 6);
        });
        let words = [
            "has expired: it was valid from Sat, 03 Feb 2001 00:00:00 GMT to Thu, 06 May 2004 00:00:00 GMT",
            "this machine's clock shows ",
            "check the server's certificate and this machine's clock",
        ];
        assert_words(localhost(&expired.tls(), &expired.server()), &words);

        let early = self_signed(is_ca, |params| params.not_before = date_time_ymd(4000, 1, 1));
        let words = ["is not valid yet: it is valid from Sat, 01 Jan 4000"];
        assert_words(localhost(&early.tls(), &early.server()), &words);

        let long = self_signed(is_ca, |params| {
            params.not_before = date_time_ymd(1970, 1, 1);
            params.not_after = date_time_ymd(9999, 12, 31);
        });
        assert_eq!(localhost(&long.tls(), &long.server()), Ok(()));
    }
}

#[test]
fn a_leaf_of_a_given_ca_says_both_dates_too() {
    let ca = self_signed(true, |_| {});
    let mut old = params(false);
    old.not_before = date_time_ymd(2001, 2, 3);
    old.not_after = date_time_ymd(2004, 5, 6);
    let issuer_params = params(true);
    let leaf_key = key();
    let issuer = Issuer::from_params(&issuer_params, &ca.key);
    let leaf = Made { certificate: old.signed_by(&leaf_key, &issuer).unwrap(), key: leaf_key };
    let words = ["valid from Sat, 03 Feb 2001 00:00:00 GMT to Thu, 06 May 2004 00:00:00 GMT"];
    assert_words(localhost(&ca.tls(), &leaf.server()), &words);
}

#[test]
fn another_self_signed_certificate_with_the_same_key_or_name_is_refused() {
    for is_ca in [true, false] {
        let given = self_signed(is_ca, |_| {});
        let mut renamed = params(is_ca);
        renamed.distinguished_name.push(DnType::CommonName, "another");
        let same_key = renamed.self_signed(&given.key).unwrap().der().clone();
        let same_name = self_signed(is_ca, |_| {});
        let both = params(is_ca).self_signed(&given.key).unwrap().der().clone();
        let server = |certificate| Server { certificate, key: given.key.serialize_der() };
        assert_ne!(&both, given.certificate.der());

        for other in [server(same_key), same_name.server(), server(both)] {
            let words = ["not trusted", "itself", " with Tls::pem_file"];
            let outcome = localhost(&given.tls(), &other).map_err(|words| {
                words.replace("give this very certificate", "give the certificate itself")
            });
            assert_words(outcome, &words);
        }
    }
}

#[test]
fn a_ca_vouches_for_what_it_has_issued_and_another_certificate_for_itself_alone() {
    let ca = self_signed(true, |_| {});
    assert_eq!(localhost(&ca.tls(), &issued_by(&ca, true).server()), Ok(()));

    let no_ca = self_signed(false, |_| {});
    let outcome = localhost(&no_ca.tls(), &issued_by(&no_ca, false).server());
    assert_words(outcome, &["issuer of the server's certificate is not trusted"]);

    let leaf = issued_by(&ca, true);
    assert_eq!(localhost(&leaf.tls(), &leaf.server()), Ok(()));
    let outcome = localhost(&leaf.tls(), &issued_by(&ca, true).server());
    assert_words(outcome, &["issuer of the server's certificate is not trusted"]);
}

#[test]
fn every_certificate_of_a_text_counts() {
    let (first, second) = (self_signed(true, |_| {}), self_signed(false, |_| {}));
    let text = first.certificate.pem() + "\n# a comment\n" + &second.certificate.pem();
    let tls = Tls::pem(text.as_bytes()).unwrap();
    assert_eq!(localhost(&tls, &first.server()), Ok(()));
    assert_eq!(localhost(&tls, &second.server()), Ok(()));
    assert_eq!(localhost(&tls, &issued_by(&first, true).server()), Ok(()));
}

#[test]
fn who_shows_a_given_certificate_must_sign_with_its_key() {
    for is_ca in [true, false] {
        let made = self_signed(is_ca, |_| {});
        let thief = Server { key: key().serialize_der(), ..made.server() };
        assert_words(
            localhost(&made.tls(), &thief),
            &["the handshake is not signed by the certificate's key"],
        );
    }
}

#[test]
fn a_certificate_of_version_1_is_refused_in_words() {
    let server = Server { certificate: der(VERSION_1), key: key().serialize_der() };
    let given = Tls::pem(VERSION_1).unwrap();
    assert_words(localhost(&given, &server), &["is of X.509 version 1"]);
}

#[test]
fn the_insecure_mode_accepts_every_certificate() {
    let tls = Tls::insecure().unwrap();
    let expired = self_signed(true, |params| params.not_after = date_time_ymd(2004, 5, 6));
    let garbage = CertificateDer::from(b"no certificate".to_vec());
    for certificate in [der(VERSION_1), der(RSA_1024), expired.certificate.der().clone(), garbage] {
        let server = Server { certificate, key: key().serialize_der() };
        assert_eq!(by_name(&tls, &server, "elsewhere.example"), Ok(()));
    }
}

#[test]
fn a_program_names_its_own_setting() {
    let tls = self_signed(true, |_| {}).tls().with_setting_name("the setting roots");
    for other in [self_signed(true, |_| {}), self_signed(false, |_| {})] {
        assert_words(localhost(&tls, &other.server()), &[" with the setting roots"]);
    }
}

#[test]
fn a_text_without_certificates_is_told_for_what_it_is() {
    let damaged = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let unreadable = "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n";
    for (text, expected) in [
        ("".as_bytes(), "but is empty"),
        (key().serialize_pem().as_bytes(), "but holds a private key"),
        (b"hello", "at least one certificate in PEM"),
        (self_signed(true, |_| {}).certificate.der(), "looks like DER"),
        (damaged.as_bytes(), "must be PEM"),
        (unreadable.as_bytes(), "that can be read"),
    ] {
        let error = Tls::pem(text).unwrap_err();
        assert_eq!(error.field(), "tls.ca_cert");
        assert!(error.limit().contains(expected), "{error}");
    }
}
