//! Pictures, as SVG without anything that changes from run to run.

use std::error::Error;

use plotters::coord::Shift;
use plotters::coord::ranged1d::SegmentedCoord;
use plotters::coord::types::RangedCoordusize;
use plotters::prelude::*;

/// How long each client of a grid needed to recover.
pub(crate) struct Map<'a> {
    pub(crate) caption: &'a str,
    /// Row by row, from the smallest load. `None`: not within the horizon.
    pub(crate) times: &'a [Option<u64>],
    /// The edge of the rule for each timeout.
    pub(crate) rule: Vec<f64>,
}

const PANEL: (u32, u32) = (520, 380);
const STUCK: RGBColor = RGBColor(0x4a, 0x00, 0x0a);
const OLD: RGBColor = RGBColor(0xd6, 0x27, 0x28);
const NEW: RGBColor = RGBColor(0x1f, 0x77, 0xb4);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

/// The maps side by side: connect timeouts to the right, loads upwards.
pub(crate) fn maps(
    maps: &[Map<'_>],
    timeouts: &[u32],
    loads: &[u32],
) -> Result<String, Box<dyn Error>> {
    drawn((PANEL.0 * u32::try_from(maps.len())?, PANEL.1), |root| {
        for (area, map) in root.split_evenly((1, maps.len())).iter().zip(maps) {
            draw_map(area, map, timeouts, loads)?;
        }
        Ok(())
    })
}

fn draw_map(area: &Area<'_>, map: &Map<'_>, timeouts: &[u32], loads: &[u32]) -> Drawn {
    let (columns, rows) = (timeouts.len(), loads.len());
    let mut chart = ChartBuilder::on(area)
        .caption(map.caption.replace('`', ""), ("sans-serif", 14))
        .margin(10)
        .x_label_area_size(40)
        .y_label_area_size(46)
        .build_cartesian_2d((0..columns).into_segmented(), (0..rows).into_segmented())?;
    let place = |value: &SegmentValue<usize>| match value {
        SegmentValue::CenterOf(place) | SegmentValue::Exact(place) => Some(*place),
        SegmentValue::Last => None,
    };
    let label = |value: &SegmentValue<usize>, of: &[u32]| {
        place(value).and_then(|place| of.get(place)).map_or_else(String::new, u32::to_string)
    };
    chart
        .configure_mesh()
        .disable_mesh()
        .x_labels(columns)
        .y_labels(rows)
        .x_label_formatter(&|value| label(value, timeouts))
        .y_label_formatter(&|value| label(value, loads))
        .x_desc("connect timeout T, s")
        .y_desc("N/C, s")
        .draw()?;
    for (row, load) in loads.iter().enumerate() {
        for column in 0..columns {
            let time = map.times[row * columns + column];
            let corners = [
                (SegmentValue::Exact(column), SegmentValue::Exact(row)),
                (SegmentValue::Exact(column + 1), SegmentValue::Exact(row + 1)),
            ];
            let color = time.map_or(STUCK, |time| color(time, *load));
            chart.draw_series([Rectangle::new(corners, color.filled())])?;
            let text = time.map_or_else(|| "–".to_owned(), |time| (time / 1_000).to_string());
            let ink = if time.is_none() { WHITE } else { BLACK };
            let middle = (SegmentValue::CenterOf(column), SegmentValue::CenterOf(row));
            let style = ("sans-serif", 11).into_font().color(&ink).pos(centered());
            chart.draw_series([Text::new(text, middle, style)])?;
        }
    }
    draw_rule(&mut chart, &map.rule, loads)
}

type Grid<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<SegmentedCoord<RangedCoordusize>, SegmentedCoord<RangedCoordusize>>,
>;

/// A white step above the largest load that the rule lets recover, in each column.
fn draw_rule(chart: &mut Grid<'_, '_>, rule: &[f64], loads: &[u32]) -> Drawn {
    for (column, edge) in rule.iter().enumerate() {
        let row = loads.iter().filter(|load| f64::from(**load) <= *edge).count();
        if row < loads.len() {
            let from = (SegmentValue::Exact(column), SegmentValue::Exact(row));
            let to = (SegmentValue::Exact(column + 1), SegmentValue::Exact(row));
            chart.draw_series([PathElement::new([from, to], CYAN.stroke_width(4))])?;
        }
    }
    Ok(())
}

fn centered() -> plotters::style::text_anchor::Pos {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    Pos::new(HPos::Center, VPos::Center)
}

/// Green where the fleet is back as soon as the server can serve it, red where it takes ten times as
/// long.
fn color(time: u64, load: u32) -> RGBColor {
    let slowest = u64::from(load) * 10_000;
    let fastest = u64::from(load) * 1_000;
    let over = time.saturating_sub(fastest).min(slowest - fastest) * 255 / (slowest - fastest);
    let over = u8::try_from(over).unwrap_or(u8::MAX);
    RGBColor(120_u8.saturating_add(over / 2), 220 - over / 2, 120 - over / 3)
}

/// Opens of each 100 ms after a loss.
pub(crate) fn waves(
    series: &[(&str, Vec<(f64, f64)>); 2],
    lost_at: u32,
) -> Result<String, Box<dyn Error>> {
    let most = series.iter().flat_map(|(_, points)| points).map(|(_, share)| *share);
    let most = most.fold(1.0, f64::max) * 1.05;
    drawn((PANEL.0 * 3 / 2, PANEL.1), |root| {
        let mut chart = ChartBuilder::on(root)
            .caption("Opens in each 100 ms, in percent of the fleet", ("sans-serif", 15))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(46)
            .build_cartesian_2d(0.0..50.0, 0.0..most)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc(format!("seconds since the second loss, at {lost_at} s"))
            .y_desc("% of the fleet")
            .draw()?;
        for ((name, points), color) in series.iter().zip([OLD, NEW]) {
            let points = points.iter().copied().filter(|(at, _)| *at <= 50.0);
            chart
                .draw_series(LineSeries::new(points, color.stroke_width(2)))?
                .label(name.replace('`', ""))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE)
            .border_style(BLACK)
            .draw()?;
        Ok(())
    })
}

fn drawn(
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE)?;
        draw(&root)?;
        root.present()?;
    }
    text.push('\n');
    Ok(text)
}
