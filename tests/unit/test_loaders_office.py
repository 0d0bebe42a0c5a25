"""Formats of offices, made here by the libraries that write them: DOCX, PPTX, XLSX, ODT, RTF, EPUB, PDF."""

from __future__ import annotations

import datetime as dt
import io
import zipfile

import docx
import openpyxl
from odfdo import Document, Header, List, Paragraph, Table
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from ragstead.bootstrap.loaders import load_file


def saved(made: object) -> bytes:
    file = io.BytesIO()
    made.save(file)  # type: ignore[attr-defined]
    return file.getvalue()


def pdf(*pages: str, rotate: int = 0, encrypt: str = "") -> bytes:
    """A PDF of Helvetica pages whose content streams are given."""
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, page in enumerate(pages):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Rotate {rotate} "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * i} 0 R >>"
        )
        objects.append(f"<< /Length {len(page)} >>\nstream\n{page}\nendstream")
    out = "%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n" + "".join(f"{at:010} 00000 n \n" for at in offsets)
    out += f"trailer << /Size {len(objects) + 1} /Root 1 0 R {encrypt} >>\nstartxref\n{start}\n%%EOF\n"
    return out.encode("latin-1")


def shown(*lines: tuple[int, int, int, str]) -> str:
    return "\n".join(f"BT /F1 {size} Tf {x} {y} Td ({words}) Tj ET" for x, y, size, words in lines)


def test_pdf_joins_lines_finds_headings_and_counts_pages() -> None:
    first = shown(
        (72, 720, 20, "Annual report"),
        (72, 690, 10, "The company sold more umbrellas than in the year before and"),
        (72, 678, 10, "expects to sell even more of them in the coming one, it said."),
        (72, 640, 10, "A second paragraph follows after a gap."),
    )
    extracted = load_file(pdf(first, "", shown((72, 700, 10, "Last page."))), "a.pdf")
    assert extracted.text == (
        "# Annual report\n\nThe company sold more umbrellas than in the year before and expects to sell even more of "
        "them in the coming one, it said.\n\nA second paragraph follows after a gap.\n\nLast page."
    )
    assert [h.title for h in extracted.headings] == ["Annual report"]
    assert len(extracted.page_starts) == 3
    assert extracted.page_at(extracted.text.index("Last")) == 3


def test_pdf_reads_one_column_after_the_other() -> None:
    left = [(60, 700 - 12 * i, 10, f"left line {i} with some words") for i in range(4)]
    right = [(330, 700 - 12 * i, 10, f"right line {i} with some words") for i in range(4)]
    text = load_file(pdf(shown(*left, *right)), "a.pdf").text.replace("\n", " ")
    assert text.index("left line 3") < text.index("right line 0")


def test_pdf_of_rotated_pages_is_read_from_the_top() -> None:
    page = shown((72, 600, 12, "third"), (72, 700, 12, "first"), (72, 650, 12, "second"))
    assert load_file(pdf(page, rotate=90), "a.pdf").text.split() == ["first", "second", "third"]


def test_pdf_without_a_text_layer_is_blank() -> None:
    assert load_file(pdf("0 0 100 100 re f"), "scan.pdf").is_blank


def test_docx_shows_headings_lists_tables_and_side_parts() -> None:
    document = docx.Document()
    document.add_heading("The report", 0)
    document.add_heading("Findings", 1)
    document.add_paragraph("Plain words.")
    document.add_paragraph("First", style="List Number")
    document.add_paragraph("Second", style="List Number")
    document.add_paragraph("Dot", style="List Bullet")
    table = document.add_table(2, 2)
    for cell, words in zip(table._cells, ["Kind", "Number", "Duck", "3"], strict=True):
        cell.text = words
    nested = table.cell(1, 1).add_table(1, 2)
    nested.cell(0, 0).text, nested.cell(0, 1).text = "in", "side"
    document.sections[0].header.paragraphs[0].text = "Confidential"
    document.sections[0].footer.paragraphs[0].text = "Page foot"
    run = document.add_paragraph("Remarkable").runs[0]
    document.add_comment(run, text="Really?", author="Ann")
    extracted = load_file(saved(document), "a.docx")
    assert extracted.title == "The report"
    assert [(h.level, h.title) for h in extracted.headings] == [(1, "The report"), (1, "Findings")]
    assert "1. First\n2. Second\n- Dot" in extracted.text
    assert "Kind | Number\nDuck | 3\n\nin | side" in extracted.text
    for words in ("Plain words.", "Confidential", "Page foot", "Really?"):
        assert extracted.text.count(words) == 1


def test_pptx_shows_slides_tables_groups_charts_and_notes() -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Growth"
    slide.placeholders[1].text = "up\nand up"
    slide.notes_slide.notes_text_frame.text = "Say it slowly"
    second = deck.slides.add_slide(deck.slide_layouts[6])
    table = second.shapes.add_table(1, 2, 0, 0, Inches(2), Inches(1)).table
    table.cell(0, 0).text, table.cell(0, 1).text = "a", "b"
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "in a group"
    data = CategoryChartData()
    data.categories = ["2023", "2024"]
    data.add_series("Ducks", (3, 4.5))
    chart = second.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(3), Inches(3), data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Duck survey"
    extracted = load_file(saved(deck), "a.pptx")
    assert extracted.text == (
        "# Growth\n\n- up\n- and up\n\nSay it slowly\n\na | b\n\nin a group\n\n"
        "Duck survey\n\n | Ducks\n2023 | 3\n2024 | 4.5"
    )
    assert len(extracted.page_starts) == 2


def test_xlsx_shows_each_sheet_with_values_under_names() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Staff"
    sheet.append(["Name", "Born", "Share"])
    sheet.append(["Ann", dt.datetime(1990, 2, 3), 0.5])  # noqa: DTZ001 - a sheet has no time zones
    sheet.append(["Bob", None, 2.0])
    book.create_sheet("Empty")
    book.create_sheet("Last").append(["only"])
    extracted = load_file(saved(book), "a.xlsx")
    assert extracted.text == (
        "# Staff\n\nName | Born | Share\nName: Ann | Born: 1990-02-03 | Share: 0.5\nName: Bob | Share: 2\n\n"
        "# Last\n\nonly"
    )
    assert len(extracted.page_starts) == 3


def test_odt_shows_headings_lists_and_tables() -> None:
    document = Document("text")
    document.body.clear()
    document.body.append(Header(1, "Top"))
    document.body.append(Paragraph("Plain words."))
    document.body.append(List(["one", "two"]))
    table = Table("T")
    table.set_values([["a", "b"], [1, 2]])
    document.body.append(table)
    extracted = load_file(saved(document), "a.odt")
    assert extracted.text == "# Top\n\nPlain words.\n\n- one\n- two\n\na | b\n1 | 2"


def test_rtf_shows_paragraphs_and_characters_of_code_pages() -> None:
    extracted = load_file(rb"{\rtf1\ansi\ansicpg1252 First line.\par Caf\'e9 and \u8364?5.\par}", "a.rtf")
    assert extracted.text == "First line.\n\nCafé and €5."


def test_epub_shows_its_chapters_in_the_order_of_the_spine() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OEBPS/b.opf"/></rootfiles></container>',
        )
        book.writestr(
            "OEBPS/b.opf",
            '<package xmlns="urn:package"><metadata><title xmlns="urn:dc">'
            'Book</title></metadata><manifest><item id="x" href="two%20.html" media-type="application/xhtml+xml"/>'
            '<item id="y" href="one.html" media-type="application/xhtml+xml"/></manifest>'
            '<spine><itemref idref="y"/><itemref idref="x"/><itemref idref="gone"/></spine></package>',
        )
        book.writestr("OEBPS/one.html", "<html><body><h1>One</h1><p>first</p></body></html>")
        book.writestr("OEBPS/two .html", "<html><body><h1>Two</h1><p>second</p></body></html>")
    extracted = load_file(file.getvalue(), "a.epub")
    assert extracted.title == "Book"
    assert extracted.text == "# One\n\nfirst\n\n# Two\n\nsecond"
