//! The curves as one SVG picture: a panel for each scenario.

use std::error::Error;

use plotters::prelude::*;

use crate::Compared;
use crate::curve::{STEP, percent};

const PANEL: (u32, u32) = (460, 340);
const SIMULATED: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const REAL: RGBColor = RGBColor(0xd6, 0x27, 0x28);

/// Draws all scenarios, two in a row.
pub(crate) fn of(all: &[Compared]) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    {
        // At most two panels side by side.
        let grid = (all.len().div_ceil(2), all.len().min(2));
        let size = (PANEL.0 * u32::try_from(grid.1)?, PANEL.1 * u32::try_from(grid.0)?);
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE)?;
        for (area, compared) in root.split_evenly(grid).iter().zip(all) {
            panel(area, compared)?;
        }
        root.present()?;
    }
    text.push('\n');
    Ok(text)
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    compared: &Compared,
) -> Result<(), Box<dyn Error>> {
    let Compared { scenario, real, simulated } = compared;
    let clients = scenario.clients() as usize;
    let share = |ready: &usize| percent(*ready, clients);
    let at = |step: usize| STEP.as_secs_f64() * f64::from(u32::try_from(step).unwrap_or(u32::MAX));
    let mean = compared.mean();
    let accept = scenario.server().accept.per_second();
    let load = f64::from(scenario.clients()) / accept;
    let dead_work = scenario.server().dead_work_ppm / 10_000;
    let name = scenario.name();
    let caption =
        format!("{name}: {accept:.0} accepts/s, N/C = {load:.1} s, dead work {dead_work} %");

    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 15))
        .margin(8)
        .margin_right(20)
        .x_label_area_size(36)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..scenario.horizon().as_secs_f64(), 0.0..100.0)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("seconds since the drop")
        .y_desc("ready clients, %")
        .x_label_formatter(&|seconds| format!("{seconds:.0}"))
        .y_label_formatter(&|percent| format!("{percent:.0}"))
        .draw()?;

    let extreme = |step: usize, most: bool| {
        let all = simulated.iter().filter_map(|storm| storm.ready.get(step));
        let ready = if most { all.max() } else { all.min() };
        (at(step), ready.map_or(0.0, share))
    };
    let steps = 0..mean.ready.len();
    let band = steps.clone().map(|step| extreme(step, true));
    let band = band.chain(steps.rev().map(|step| extreme(step, false)));
    chart
        .draw_series([Polygon::new(band.collect::<Vec<_>>(), SIMULATED.mix(0.25))])?
        .label(format!("simulated, {} seeds: least to most", simulated.len()))
        .legend(|(x, y)| {
            Rectangle::new([(x, y - 4), (x + 18, y + 4)], SIMULATED.mix(0.25).filled())
        });
    let line = |ready: &[usize]| -> Vec<_> {
        ready.iter().enumerate().map(|(step, ready)| (at(step), share(ready))).collect()
    };
    chart
        .draw_series(LineSeries::new(line(&mean.ready), SIMULATED.stroke_width(2)))?
        .label("simulated, mean")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], SIMULATED.stroke_width(2)));
    if let Some(real) = real {
        chart
            .draw_series(LineSeries::new(line(&real.ready), REAL.stroke_width(2)))?
            .label("measured on sockets")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], REAL.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .draw()?;
    Ok(())
}
