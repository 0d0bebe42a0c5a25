# /// script
# requires-python = ">=3.11"
# dependencies = ["openpyxl", "python-docx", "python-pptx", "reportlab>=4.2"]
# ///
"""Build the handbook's binary documents from the Markdown texts in ``samples/sources``.

Usage: ``uv run samples/build_handbook.py [--out FOLDER]``. The sources use a small part of Markdown: headings,
paragraphs, lists and tables. Dates, names and ids inside the files are fixed, so that two runs with the same
libraries write the same bytes. Only this script needs reportlab (BSD licence); the product does not.
"""

from __future__ import annotations

import argparse
import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).resolve().parent
WRITTEN = datetime(2026, 2, 1, 9, 0, 0)  # noqa: DTZ001 - Office files carry naive times
AUTHOR = "Keldersloe"


@dataclass(frozen=True)
class Block:
    """A heading of level 1 to 3, a paragraph, a list item or a table, in reading order."""

    kind: str
    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


def parse(source: str) -> list[Block]:
    """Return the blocks of a source text; the separator row of a table is dropped."""
    blocks: list[Block] = []
    for part in re.split(r"\n\s*\n", source.strip()):
        lines = part.splitlines()
        heading = re.match(r"(#{1,3}) (.+)", lines[0])
        if heading:
            blocks.append(Block("heading", heading[2], len(heading[1])))
        elif lines[0].startswith("|"):
            cells = [tuple(cell.strip() for cell in line.strip("| ").split(" | ")) for line in lines]
            blocks.append(Block("table", rows=tuple(row for row in cells if set("".join(row)) - set("- |"))))
        elif re.match(r"(-|\d+\.) ", lines[0]):
            kinds = {True: "bullet", False: "number"}
            blocks += [Block(kinds[line.startswith("-")], re.sub(r"^(-|\d+\.) ", "", line)) for line in lines]
        else:
            blocks.append(Block("paragraph", " ".join(lines)))
    return blocks


def fixed_zip(data: bytes) -> bytes:
    """Return the same archive with every member dated 1980-01-01 and written by the same system."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            member = source.read(name)
            if name == "docProps/core.xml":  # openpyxl writes the time of saving, whatever it is told
                stamp = f">{WRITTEN.isoformat()}Z</dcterms:".encode()
                member = re.sub(rb">[^<]*</dcterms:", stamp, member)
            target.writestr(info, member)
    return out.getvalue()


def build_docx(blocks: list[Block]) -> bytes:
    """Return a Word document with real heading, list and table styles."""
    from docx import Document

    document = Document()
    for block in blocks:
        if block.kind == "heading":
            document.add_heading(block.text, block.level)
        elif block.kind == "table":
            table = document.add_table(len(block.rows), len(block.rows[0]), style="Table Grid")
            for cells, row in zip(table.rows, block.rows, strict=True):
                for cell, text in zip(cells.cells, row, strict=True):
                    cell.text = text
        else:
            style = {"bullet": "List Bullet", "number": "List Number"}.get(block.kind)
            document.add_paragraph(block.text, style=style)
    properties = document.core_properties
    properties.author = properties.last_modified_by = AUTHOR
    properties.title, properties.comments = blocks[0].text, ""
    properties.created = properties.modified = WRITTEN
    out = io.BytesIO()
    document.save(out)
    return fixed_zip(out.getvalue())


def build_pptx(blocks: list[Block]) -> bytes:
    """Return slides: one for the title and one for each heading of level 2."""
    from pptx import Presentation
    from pptx.util import Pt

    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[0])
    body = slide.placeholders[1].text_frame
    for block in blocks:
        if block.kind == "heading" and block.level == 1:
            slide.shapes.title.text = block.text
        elif block.kind == "heading":
            slide = deck.slides.add_slide(deck.slide_layouts[1])
            slide.shapes.title.text = block.text
            body = slide.placeholders[1].text_frame
        else:
            paragraph = body.paragraphs[0] if not body.text else body.add_paragraph()
            paragraph.text = block.text
            paragraph.font.size = Pt(20)
    properties = deck.core_properties
    properties.author = properties.last_modified_by = AUTHOR
    properties.title = blocks[0].text
    properties.created = properties.modified = WRITTEN
    out = io.BytesIO()
    deck.save(out)
    return fixed_zip(out.getvalue())


def build_xlsx(blocks: list[Block]) -> bytes:
    """Return a workbook with one sheet for each heading of level 2."""
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    book.remove(book.active)
    book.properties.creator, book.properties.title = AUTHOR, blocks[0].text
    for block in blocks[1:]:
        if block.kind == "heading":
            sheet = book.create_sheet(block.text)
        elif block.kind == "table":
            for row in block.rows:
                sheet.append(row)
            for cell in sheet[sheet.max_row - len(block.rows) + 1]:
                cell.font = Font(bold=True)
            for letter in "ABCDE"[: len(block.rows[0])]:
                sheet.column_dimensions[letter].width = 34
        else:
            sheet.append([block.text])
    out = io.BytesIO()
    book.save(out)
    return fixed_zip(out.getvalue())


def build_odt(blocks: list[Block]) -> bytes:
    """Return an OpenDocument text, written as XML by hand: odfdo would add the time of saving."""
    body: list[str] = []
    for block in blocks:
        text = escape(block.text)
        if block.kind == "heading":
            body.append(f'<text:h text:outline-level="{block.level}">{text}</text:h>')
        elif block.kind == "table":
            rows = "".join(
                "<table:table-row>"
                + "".join(
                    f'<table:table-cell office:value-type="string"><text:p>{escape(cell)}</text:p></table:table-cell>'
                    for cell in row
                )
                + "</table:table-row>"
                for row in block.rows
            )
            columns = f'<table:table-column table:number-columns-repeated="{len(block.rows[0])}"/>'
            body.append(f'<table:table table:name="Table{len(body)}">{columns}{rows}</table:table>')
        elif block.kind == "paragraph":
            body.append(f"<text:p>{text}</text:p>")
        else:
            body.append(f"<text:list><text:list-item><text:p>{text}</text:p></text:list-item></text:list>")
    urn = "urn:oasis:names:tc:opendocument:xmlns:"
    spaces = " ".join(f'xmlns:{name}="{urn}{name}:1.0"' for name in ("office", "text", "table", "meta"))
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    kind = "application/vnd.oasis.opendocument.text"
    members = {
        "mimetype": kind,
        "content.xml": f'{head}<office:document-content {spaces} office:version="1.3"><office:body><office:text>'
        f"{''.join(body)}</office:text></office:body></office:document-content>",
        "meta.xml": f'{head}<office:document-meta {spaces} xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'office:version="1.3"><office:meta><dc:title>{escape(blocks[0].text)}</dc:title>'
        f"<dc:date>{WRITTEN.isoformat()}</dc:date></office:meta></office:document-meta>",
        "styles.xml": f'{head}<office:document-styles {spaces} office:version="1.3"/>',
        "META-INF/manifest.xml": f'{head}<manifest:manifest xmlns:manifest="{urn}manifest:1.0" manifest:version="1.3">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
        + "".join(
            f'<manifest:file-entry manifest:full-path="{name}" manifest:media-type="text/xml"/>'
            for name in ("content.xml", "meta.xml", "styles.xml")
        )
        + "</manifest:manifest>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return fixed_zip(out.getvalue())


def build_rtf(blocks: list[Block]) -> bytes:
    """Return rich text in ASCII; other characters are written as Unicode escapes."""

    def encode(text: str) -> str:
        plain = text.replace("\\", "\\\\").replace("{", "\\{").replace("}", "\\}")
        return "".join(c if ord(c) < 128 else f"\\u{ord(c) if ord(c) < 32768 else ord(c) - 65536}?" for c in plain)

    lines = [r"{\rtf1\ansi\ansicpg1252\deff0\uc1{\fonttbl{\f0 Georgia;}}{\info{\author " + AUTHOR + "}}"]
    for block in blocks:
        size = {1: r"\b\fs36 ", 2: r"\b\fs28 ", 3: r"\b\fs24 "}.get(block.level, r"\b0\fs22 ")
        texts = [" - ".join(row) for row in block.rows] or [block.text]
        lines += [rf"\pard\sa160{size}{encode(text)}\par" for text in texts]
    return ("\n".join(lines) + "\n}\n").encode("ascii")


def build_pdf(blocks: list[Block]) -> bytes:
    """Return an A4 document with page numbers; a heading of level 2 stays with the text that follows it."""
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

    styles = getSampleStyleSheet()
    normal = ParagraphStyle("text", parent=styles["BodyText"], fontSize=10.5, leading=14.5, spaceAfter=6)
    small = ParagraphStyle("cell", parent=normal, fontSize=9, leading=11.5, spaceAfter=0)
    grid = TableStyle([
        ("GRID", (0, 0), (-1, -1), 0.4, colors.grey),
        ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ])

    def safe(text: str) -> str:
        return escape(text.replace("−", "-"))  # the built-in fonts have no minus sign

    story: list[object] = []
    for block in blocks:
        if block.kind == "heading":
            story.append(Paragraph(safe(block.text), styles[f"Heading{block.level}"]))
        elif block.kind == "table":
            cells = [[Paragraph(safe(cell), small) for cell in row] for row in block.rows]
            story += [Table(cells, repeatRows=1, style=grid, colWidths=[460 / len(cells[0])] * len(cells[0])), Spacer(1, 8)]
        else:
            bullet = "• " if block.kind == "bullet" else ""
            story.append(Paragraph(bullet + safe(block.text), normal))

    out = io.BytesIO()
    document = SimpleDocTemplate(
        out, pagesize=A4, title=blocks[0].text, author=AUTHOR, invariant=1, topMargin=56, bottomMargin=56
    )

    def footer() -> None:
        document.canv.setFont("Helvetica", 8)
        document.canv.drawRightString(530, 30, f"Page {document.page}")

    document.afterPage = footer  # after the text, so that the number does not stand before it when it is read out
    document.build(story)
    return out.getvalue()


BUILDERS: dict[str, Callable[[list[Block]], bytes]] = {
    "product-guide.pdf": build_pdf,
    "data-retention.pdf": build_pdf,
    "procurement.docx": build_docx,
    "hiring.docx": build_docx,
    "benefits.pptx": build_pptx,
    "pricing-and-discounts.xlsx": build_xlsx,
    "performance-reviews.odt": build_odt,
    "all-hands-2026-03-12.rtf": build_rtf,
}


def build(name: str) -> bytes:
    """Return the bytes of one document of the handbook, built from the source of the same stem."""
    source = HERE / "sources" / f"{Path(name).stem}.md"
    return BUILDERS[name](parse(source.read_text(encoding="utf-8")))


def main() -> None:
    """Write every built document to the folder that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "handbook")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for name in BUILDERS:
        (folder / name).write_bytes(build(name))
        print(folder / name)


if __name__ == "__main__":
    main()
