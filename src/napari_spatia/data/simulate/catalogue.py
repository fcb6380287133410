"""What lives on a simulated slide: cell types and how they look before their genes speak, niches, regions, genes."""

from dataclasses import dataclass

from napari_spatia.data.panel import Panel
from napari_spatia.data.simulate.rules import RULE_GENES

CHANNELS = ("DAPI", "boundary", "rna_18S", "aSMA_vimentin")

REGIONS = ("exocrine", "interface", "tumour")


@dataclass(frozen=True, slots=True)
class CellType:
    """A type's baselines (see `rules`), how it fills space, its marker genes and its bias on rule genes.

    ``reach_um`` is how far the cell stretches beyond its own outline to close a gap; ``along_fibres`` says whether it
    lies along the fibre field; ``bias`` holds natural-log shifts of the mean counts of rule genes.
    """

    name: str
    cell_area: float
    nucleus_area: float
    cell_aspect: float
    nucleus_aspect: float
    dapi: float
    boundary: float
    rna: float
    fibre: float
    reach_um: float
    along_fibres: bool
    markers: tuple[str, ...]
    bias: dict[str, float]


def _markers(names: str) -> tuple[str, ...]:
    return tuple(names.split())


CELL_TYPES = (
    CellType("acinar", 118, 33, 1.30, 1.25, 900, 420, 1350, 25, 2.6, False,
             _markers("AMY2A CPA1 PRSS1 CELA3A CTRB1 PNLIP CLPS CPB1 REG1A GATM ANPEP"),
             {"RPLP0": 0.4, "ACTA2": -0.7, "VIM": -0.6}),
    CellType("ductal", 84, 34, 1.60, 1.40, 1000, 900, 950, 40, 2.2, False,
             _markers("KRT7 CFTR SOX9 MUC1 AQP3 KRT19 TFF2 SPP1 DMBT1 CA2 MALL"),
             {"ATP1A1": 0.3, "ACTA2": -0.6, "VIM": -0.4}),
    CellType("tumour", 128, 47, 1.40, 1.40, 1150, 780, 1200, 45, 2.4, False,
             _markers("EPCAM CEACAM6 KRT17 S100P MSLN GPRC5A LAMC2 AGR3 MET CAPN8 EHF"),
             {"LMNB1": 0.3, "NPM1": 0.3, "ACTA2": -0.6}),
    CellType("beta", 86, 32, 1.28, 1.22, 950, 480, 850, 30, 2.2, False,
             _markers("INS IAPP MAFA PDX1 NKX6-1 SLC30A8 PCSK1 DLK1 ADCYAP1 G6PC2 UCN3"),
             {"ACTA2": -0.6, "VIM": -0.5}),
    CellType("alpha", 80, 30, 1.32, 1.26, 950, 560, 800, 30, 2.2, False,
             _markers("GCG ARX TTR PCSK2 IRX2 LOXL4 GC CRYBA2 FAP PEMT SCGN"),
             {"ACTA2": -0.6, "VIM": -0.5}),
    CellType("fibroblast", 84, 28, 3.90, 2.80, 800, 110, 480, 520, 0.7, True,
             _markers("COL1A1 DCN LUM PDGFRA FBLN1 DPT SFRP2 MFAP5 OGN THY1 CTSK"),
             {"VIM": 0.5, "CDC42": 0.2}),
    CellType("smooth_muscle", 80, 26, 3.40, 3.00, 850, 120, 500, 1100, 1.0, True,
             _markers("MYH11 CNN1 DES ACTG2 TAGLN PLN RERGL LMOD1 SYNPO2 KCNMA1 PDGFRB"),
             {"ACTA2": 0.8, "VIM": 0.2}),
    CellType("endothelial", 56, 22, 3.00, 2.40, 950, 300, 480, 420, 0.9, True,
             _markers("PECAM1 VWF CLEC14A EGFL7 ERG CD93 RAMP2 MMRN2 SOX18 AQP1 CDH5"),
             {"VIM": 0.4}),
    CellType("T_cell", 42, 25, 1.20, 1.18, 1300, 560, 380, 90, 0.6, False,
             _markers("CD3E TRAC CD2 IL7R CD8A CCL5 GZMK CD69 NKG7 CD247 CTLA4"),
             {"CBX5": 0.3, "ACTA2": -0.5}),
    CellType("B_cell", 44, 26, 1.18, 1.16, 1250, 520, 430, 70, 0.6, False,
             _markers("MS4A1 CD79A CD19 BANK1 CD37 TCL1A SPIB FCRL1 CXCR5 PAX5 CD22"),
             {"CBX5": 0.3, "ACTA2": -0.5}),
    CellType("macrophage", 98, 32, 1.50, 1.45, 850, 380, 700, 220, 0.9, False,
             _markers("CD68 CD163 MRC1 CD14 AIF1 MS4A4A VSIG4 MARCO C1QA FCGR3A SPI1"),
             {"G3BP1": 0.3}),
)  # fmt: skip

TYPE_NAMES = tuple(cell_type.name for cell_type in CELL_TYPES)


@dataclass(frozen=True, slots=True)
class Niche:
    """A kind of place: space per cell, how stretched cells sit, how much fibrous matrix it has, who lives there."""

    name: str
    area_per_cell_um2: float
    stretch: float
    matrix: float
    mix: dict[str, float]
    genes: tuple[str, ...]


NICHES = (
    Niche("acinar_lobule", 112, 1.0, 0.15,
          {"acinar": 0.91, "endothelial": 0.03, "macrophage": 0.03, "T_cell": 0.02, "fibroblast": 0.01},
          ("SPINK1", "REG3A", "CUZD1")),
    Niche("duct", 84, 1.0, 0.2, {"ductal": 1.0}, ("TSPAN8", "ANXA4", "CLDN4")),
    Niche("islet", 82, 1.0, 0.1, {"beta": 0.60, "alpha": 0.33, "endothelial": 0.07}, ("CHGA", "SST", "PPY")),
    Niche("septum", 118, 2.6, 1.0,
          {"fibroblast": 0.66, "smooth_muscle": 0.06, "endothelial": 0.11, "macrophage": 0.11, "T_cell": 0.06},
          ("C7", "CXCL12", "APOD")),
    Niche("tumour_nest", 122, 1.0, 0.1, {"tumour": 0.93, "T_cell": 0.03, "macrophage": 0.04},
          ("CA9", "GDF15", "LDHA")),
    Niche("tumour_stroma", 104, 2.4, 1.0,
          {"fibroblast": 0.54, "smooth_muscle": 0.09, "endothelial": 0.08, "macrophage": 0.15, "T_cell": 0.10,
           "B_cell": 0.04}, ("POSTN", "TNC", "CTHRC1")),
    Niche("vessel", 70, 1.6, 0.7, {"smooth_muscle": 0.6, "endothelial": 0.4}, ("EDN1", "ADAMTS1", "NOTCH3")),
    Niche("lymphoid_aggregate", 47, 1.0, 0.1,
          {"B_cell": 0.5, "T_cell": 0.42, "macrophage": 0.06, "endothelial": 0.02}, ("CXCL13", "CCL19", "LTB")),
)  # fmt: skip

NICHE_NAMES = tuple(niche.name for niche in NICHES)

STATE_NAMES = ("proliferation", "stress", "interferon")

STATE_GENES = (
    _markers("MKI67 TOP2A PCNA CENPF CDK1 UBE2C"),
    _markers("HSPA1A DNAJB1 FOS JUN ATF3 DUSP1"),
    _markers("ISG15 IFI6 MX1 STAT1 CXCL10 IFIT3"),
)
"""Genes that follow each of the continuous states of a cell (`STATE_NAMES`), whatever its type."""

BACKGROUND_GENES = _markers(
    "GAPDH ACTB B2M EEF1A1 TPT1 FTL MALAT1 UBC PSMB4 HNRNPA1 SRSF3 YWHAZ CFL1 PFN1 MYL6 COX4I1 NDUFA4 ATP5F1E CALM2 "
    "SOD1 PRDX1 TXN GPX2 CD24 KLF5 ELF3 CDH16 UMOD SFTPC SCGB3A1 OPRPN KRT20 MLANA ALAS2 HBB AHSP FOXJ1 CCDC39 DNAAF1 "
    "ADIPOQ LPL PVALB TAC1 SNCA"
)
"""Genes that tell nothing: widely and weakly expressed, or of tissues that are not there."""

PANEL = Panel(
    RULE_GENES
    + tuple(gene for cell_type in CELL_TYPES for gene in cell_type.markers)
    + tuple(gene for niche in NICHES for gene in niche.genes)
    + tuple(gene for genes in STATE_GENES for gene in genes)
    + BACKGROUND_GENES
)
