"""Reads e-mail messages with the standard library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.errors import MessageError
from email.message import EmailMessage, Message
from email.policy import default
from typing import cast

from ragstead.errors import UnreadableDocument
from ragstead.extraction import Decode, TextBuilder
from ragstead.model import ExtractedText

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_MAX_ATTACHMENTS = 100

ReadFile = Callable[[bytes, str], ExtractedText]


class EmailLoader:
    """Reads a message's headers, its body as text or HTML, and its attachments.

    Args:
        decode: Bytes to characters.
        read_html: Reads a body of HTML.
        read_attachment: Reads a file of any format; None where messages are nested too deep to go on.
    """

    def __init__(self, decode: Decode, read_html: ReadFile, read_attachment: ReadFile | None) -> None:
        self._decode = decode
        self._read_html = read_html
        self._read_attachment = read_attachment

    def load(self, data: bytes, filename: str) -> ExtractedText:
        """Return headers, body and attachments in this order; the subject is the title.

        An attachment that can't be read is named with the reason, and the rest is read.

        Raises:
            UnreadableDocument: If the message's structure can't be followed.
        """
        builder = TextBuilder()
        try:
            message = message_from_bytes(data, policy=default)
            headers = [f"{name}: {_header(message, name)}" for name in _HEADERS if _header(message, name)]
            builder.paragraph("\n".join(headers))
            body = message.get_body(("plain", "html"))
            if body is not None:
                self._body(builder, body)
            elif isinstance(raw := message.get_payload(), str):  # a multipart whose boundary never comes
                builder.paragraph(raw)
            for part in list(_attachments(message, body))[:_MAX_ATTACHMENTS]:
                self._attachment(builder, part)
            return builder.build(_header(message, "Subject"))
        except (MessageError, LookupError, ValueError, AttributeError, TypeError) as exc:
            raise UnreadableDocument(f"{filename}: the message is damaged ({exc})") from exc

    def _body(self, builder: TextBuilder, body: Message) -> None:
        content = _payload(body)
        if body.get_content_type() == "text/html":
            builder.embed(self._read_html(self._decode(content, body.get_content_charset()).encode(), "body.html"))
        else:
            builder.paragraph(self._decode(content, body.get_content_charset()))

    def _attachment(self, builder: TextBuilder, part: Message) -> None:
        name = part.get_filename() or "attachment"
        if part.get_content_type() == "message/rfc822":
            inner = part.get_payload()
            content = inner[0].as_bytes() if isinstance(inner, list) and isinstance(inner[0], Message) else b""
            name = name if name.endswith(".eml") else f"{name}.eml"
        elif part.is_multipart():  # message/delivery-status: blocks of fields
            blocks = [str(block).strip() for block in part.get_payload()]
            content, name = "\n\n".join(blocks).encode(), f"{part.get_content_subtype()}.txt"
        else:
            content = _payload(part)
        if part.get_content_maintype() in {"image", "audio", "video"}:
            builder.paragraph(f"Attachment: {name}")
        elif self._read_attachment is None:
            builder.paragraph(f"Attachment: {name} (not read: messages are nested too deep)")
        else:
            self._read(builder, self._read_attachment, content, name)

    @staticmethod
    def _read(builder: TextBuilder, read: ReadFile, content: bytes, name: str) -> None:
        try:
            inner = read(content, name)
        except UnreadableDocument as exc:
            builder.paragraph(f"Attachment: {name} (not read: {exc})")
            return
        builder.heading(f"Attachment: {name}", 1)
        builder.embed(inner, deeper=1)


def _header(message: Message, name: str) -> str:
    try:
        return str(message.get(name, "")).strip()
    except (ValueError, IndexError, AttributeError):  # the standard library's parser trips over some malformed ones
        return ""


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _attachments(message: EmailMessage, body: Message | None) -> Iterator[Message]:
    """Every leaf but the body and the other renderings of it."""
    todo: list[Message] = [message]
    while todo:
        part = todo.pop(0)
        if part is body:
            continue
        if part.get_content_type() == "multipart/alternative":
            continue
        if part.is_multipart() and part.get_content_maintype() != "message":
            todo = [*(one for one in cast("list[Message]", part.get_payload())), *todo]
        elif part is not message or part.is_multipart():
            yield part
