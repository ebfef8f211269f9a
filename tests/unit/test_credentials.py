"""What of a URL is a secret, and what is not."""

from __future__ import annotations

import pytest

from mamba_press import credentials

PLAIN = "https://example.org/team/channel/linux-64/x-1-0.conda"

SECRET = {
    "password": "https://user:s3cret@example.org/team/channel/linux-64/x-1-0.conda",
    "password with @": "https://user:s3@cret@example.org/team/channel/linux-64/x-1-0.conda",
    "password with slash": "https://user:s3/cret@example.org/team/channel/linux-64/x-1-0.conda",
    "quoted password": "https://us%40er:s3%2Fcret@example.org/team/channel/linux-64/x-1-0.conda",
    "user alone": "https://s3cret@example.org/team/channel/linux-64/x-1-0.conda",
    "no user": "https://:s3cret@example.org/team/channel/linux-64/x-1-0.conda",
    "token": "https://example.org/t/s3cret/team/channel/linux-64/x-1-0.conda",
    "token within": "https://example.org/team/t/s3cret/channel/linux-64/x-1-0.conda",
    "two tokens": "https://example.org/t/s3cret/team/t/s3cret/channel/linux-64/x-1-0.conda",
    "token of a channel t": "https://example.org/t/t/s3cret/team/channel/linux-64/x-1-0.conda",
    "token behind several slashes": "https://example.org//t//s3cret/team/channel/linux-64/x-1-0.conda",
    "token behind an escaped letter": "https://example.org/%74/s3cret/team/channel/linux-64/x-1-0.conda",
    "token behind T": "https://example.org/T/s3cret/team/channel/linux-64/x-1-0.conda",
    "token behind an escaped T": "https://example.org/%54/s3cret/team/channel/linux-64/x-1-0.conda",
    "query": "https://example.org/team/channel/linux-64/x-1-0.conda?sig=s3cret&se=2030",
    "fragment": "https://example.org/team/channel/linux-64/x-1-0.conda#s3cret",
    "all": "https://user:s3cret@example.org/t/s3cret/team/channel/linux-64/x-1-0.conda?sig=s3cret#s3cret",
}


@pytest.mark.parametrize("form", SECRET)
def test_a_secret_is_taken_off_a_url(form):
    assert credentials.public(SECRET[form]) == PLAIN


@pytest.mark.parametrize("form", SECRET)
def test_a_secret_is_taken_off_every_url_of_a_text(form):
    text = f"error for url ({SECRET[form]}): '{SECRET[form]}' and \"{SECRET[form]}\""
    assert "s3cret" not in credentials.hidden(text)
    assert credentials.hidden(text).count("https://example.org/team/channel/linux-64/x-1-0.conda") == 3


@pytest.mark.parametrize("sign", ["'", '"', "<", ">", "`", "\\"])
def test_a_password_with_a_sign_that_ends_a_url_in_a_text_is_taken_off(sign):
    url = f"https://user:s3{sign}cret@example.org/x"
    assert credentials.hidden(f"error for '{url}', and for ({url})") == (
        "error for 'https://example.org/x', and for (https://example.org/x)"
    )


def test_a_token_at_the_end_of_a_url_is_one():
    assert credentials.public("https://example.org/pre/t/s3cret") == "https://example.org/pre"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "https://example.org:8080/channel",
        "https://example.org/channel@1/x",
        "https://t/x",
        "/srv/t/team/channel",
        "file:///srv/t/team/channel/linux-64/a.conda",
        "FILE:///srv/t/team",
        "./t/team/channel",
        "conda-forge",
        "C:\\t\\team",
        "",
    ],
)
def test_what_has_no_secret_stays(text):
    assert credentials.public(text) == text
    assert credentials.hidden(f"look at {text} there") == f"look at {text} there"


def test_the_query_of_an_address_for_everybody_stays():
    url = "https://user:s3cret@example.org/t/s3cret/gitweb?p=x.git"
    assert credentials.public(url, query=True) == "https://example.org/gitweb?p=x.git"


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("https://user:s3cret@example.org/team/channel", SECRET["password"]),
        ("https://user:s3cret@example.org/team/channel/", SECRET["password"]),
        ("https://example.org/t/s3cret/team/channel", SECRET["token"]),
        ("https://example.org/team/t/s3cret/channel?sig=x", SECRET["token within"]),
        ("https://example.org/team/chan", PLAIN),
        ("https://other.org/team/channel", PLAIN),
        ("team/channel", PLAIN),
        ("/team/channel", PLAIN),
    ],
)
def test_the_credentials_of_its_channel_are_put_back_where_a_package_is_asked_for(channel, expected):
    assert credentials.added(PLAIN, ["conda-forge", channel]) == expected


def test_of_channels_that_lie_in_each_other_the_inner_one_counts():
    channels = ["https://a:1@example.org/team", "https://b:2@example.org/team/channel"]
    assert credentials.added(PLAIN, channels).startswith("https://b:2@example.org/team/channel/")
